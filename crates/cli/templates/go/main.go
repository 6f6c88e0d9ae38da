// The command's side: arguments and standard input in, JSON out.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	top := flag.Int("top", 5, "how many of the most frequent words to name, at most 100")
	flag.Parse()
	if err := run(*top, os.Stdin, os.Stdout); err != nil {
		// What is on standard error, and an exit code other than 0, are the tool's error.
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(top int, in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	summary, err := Summarize(string(text), top)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(summary)
}
