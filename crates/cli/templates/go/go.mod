module example.com/my-tool

go 1.24
