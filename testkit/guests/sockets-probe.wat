;; Tries every way to a socket and to a name server that `wasi:sockets` has, and gives back what each came to: 0 if it worked, otherwise
;; the place of the error code in the standard's list, from 1.
(component
  (import "wasi:sockets/network@0.2.0" (instance $network
    (export "network" (type (sub resource)))
    (type $code' (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout" "concurrency-conflict"
      "not-in-progress" "would-block" "invalid-state" "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
      "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large" "name-unresolvable"
      "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $code')))
    (type $family' (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $family')))))
  (alias export $network "network" (type $net))
  (alias export $network "error-code" (type $code))
  (alias export $network "ip-address-family" (type $family))
  (import "wasi:sockets/instance-network@0.2.0" (instance $own
    (alias outer 1 $net (type $n'))
    (export "network" (type $n (eq $n')))
    (export "instance-network" (func (result (own $n))))))
  (import "wasi:sockets/ip-name-lookup@0.2.0" (instance $lookup
    (alias outer 1 $net (type $n'))
    (export "network" (type $n (eq $n')))
    (alias outer 1 $code (type $c'))
    (export "error-code" (type $c (eq $c')))
    (export "resolve-address-stream" (type $stream (sub resource)))
    (export "resolve-addresses" (func (param "network" (borrow $n)) (param "name" string)
      (result (result (own $stream) (error $c)))))))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp (export "tcp-socket" (type (sub resource)))))
  (alias export $tcp "tcp-socket" (type $tcp-socket))
  (import "wasi:sockets/udp@0.2.0" (instance $udp (export "udp-socket" (type (sub resource)))))
  (alias export $udp "udp-socket" (type $udp-socket))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $make-tcp
    (alias outer 1 $code (type $c'))
    (export "error-code" (type $c (eq $c')))
    (alias outer 1 $family (type $f'))
    (export "ip-address-family" (type $f (eq $f')))
    (alias outer 1 $tcp-socket (type $s'))
    (export "tcp-socket" (type $s (eq $s')))
    (export "create-tcp-socket" (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
  (import "wasi:sockets/udp-create-socket@0.2.0" (instance $make-udp
    (alias outer 1 $code (type $c'))
    (export "error-code" (type $c (eq $c')))
    (alias outer 1 $family (type $f'))
    (export "ip-address-family" (type $f (eq $f')))
    (alias outer 1 $udp-socket (type $s'))
    (export "udp-socket" (type $s (eq $s')))
    (export "create-udp-socket" (func (param "address-family" $f) (result (result (own $s) (error $c)))))))

  (core module $memory
    (memory (export "memory") 2)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
  (core instance $memory (instantiate $memory))
  (core func $own (canon lower (func $own "instance-network")))
  (core func $lookup (canon lower (func $lookup "resolve-addresses") (memory (core memory $memory "memory"))))
  (core func $tcp (canon lower (func $make-tcp "create-tcp-socket") (memory (core memory $memory "memory"))))
  (core func $udp (canon lower (func $make-udp "create-udp-socket") (memory (core memory $memory "memory"))))
  (core module $m
    (import "" "memory" (memory 2))
    (import "" "own" (func $own (result i32)))
    (import "" "lookup" (func $lookup (param i32 i32 i32 i32)))
    (import "" "tcp" (func $tcp (param i32 i32)))
    (import "" "udp" (func $udp (param i32 i32)))
    (func $outcome (result i32)
      (if (result i32) (i32.load8_u (i32.const 1024))
        (then (i32.add (i32.const 1) (i32.load8_u (i32.const 1028))))
        (else (i32.const 0))))
    (func (export "try") (param $name i32) (param $len i32) (result i32)
      (call $tcp (i32.const 0) (i32.const 1024)) (i32.store (i32.const 0) (call $outcome))
      (call $tcp (i32.const 1) (i32.const 1024)) (i32.store (i32.const 4) (call $outcome))
      (call $udp (i32.const 0) (i32.const 1024)) (i32.store (i32.const 8) (call $outcome))
      (call $udp (i32.const 1) (i32.const 1024)) (i32.store (i32.const 12) (call $outcome))
      (call $lookup (call $own) (local.get $name) (local.get $len) (i32.const 1024)) (i32.store (i32.const 16) (call $outcome))
      (i32.const 0)))
  (core instance $i (instantiate $m (with "" (instance
    (export "memory" (memory $memory "memory")) (export "own" (func $own)) (export "lookup" (func $lookup))
    (export "tcp" (func $tcp)) (export "udp" (func $udp))))))
  (func (export "try") (param "name" string) (result (tuple u32 u32 u32 u32 u32))
    (canon lift (core func $i "try") (memory (core memory $memory "memory")) (realloc (core func $memory "realloc")))))
