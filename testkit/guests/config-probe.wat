;; Asks for one key of the configuration, then for all; `{VERSION}` stands for a draft of the interface. Gives whether the key was
;; refused, its value or the text of the refusal, and all keys with their values.
(component
  (import "wasi:config/store@{VERSION}" (instance $config
    (type $error' (variant (case "upstream" string) (case "io" string)))
    (export "error" (type $error (eq $error')))
    (export "get" (func (param "key" string) (result (result (option string) (error $error)))))
    (export "get-all" (func (result (result (list (tuple string string)) (error $error)))))))
  (core module $memory
    (memory (export "memory") 17)
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (core func $get (canon lower (func $config "get") (memory $memory "memory") (realloc (core func $memory "realloc"))))
  (core func $all (canon lower (func $config "get-all") (memory $memory "memory") (realloc (core func $memory "realloc"))))
  (core module $m
    (import "" "memory" (memory 17))
    (import "" "get" (func $get (param i32 i32 i32)))
    (import "" "all" (func $all (param i32)))
    (func (export "ask") (param $key i32) (param $len i32) (result i32)
      (call $get (local.get $key) (local.get $len) (i32.const 1024))
      ;; An absent value is an empty text; a refusal's text follows the case of the error, as a value follows that of the option.
      (i32.store (i32.const 0) (i32.load8_u (i32.const 1024)))
      (if (i32.or (i32.load8_u (i32.const 1024)) (i32.load8_u (i32.const 1028))) (then
        (i32.store (i32.const 4) (i32.load (i32.const 1032))) (i32.store (i32.const 8) (i32.load (i32.const 1036)))))
      (call $all (i32.const 1024))
      (if (i32.load8_u (i32.const 1024)) (then unreachable))
      (i32.store (i32.const 12) (i32.load (i32.const 1028))) (i32.store (i32.const 16) (i32.load (i32.const 1032)))
      (i32.const 0)))
  (core instance $i (instantiate $m (with "" (instance
    (export "memory" (memory $memory "memory")) (export "get" (func $get)) (export "all" (func $all))))))
  (func (export "ask") (param "key" string) (result (tuple u32 string (list (tuple string string))))
    (canon lift (core func $i "ask") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
