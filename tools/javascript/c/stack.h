/* Read before each file of QuickJS: makes its check of the stack count for the machine's stack too.
 *
 * QuickJS compares the address of a frame with a limit. In WebAssembly that is an address in linear memory, where only those variables
 * live whose address is taken; what a call takes of the machine's own stack cannot be seen. So each function that makes the check gets
 * at least CAPLET_FRAME bytes of linear stack: more than that and what it calls in between take of the machine's stack.
 * `cases/run.toml` has each kind of recursion; `src/session.rs` has the limit. */
#ifndef CAPLET_STACK_H
#define CAPLET_STACK_H

#define CAPLET_FRAME 768

static inline __attribute__((always_inline)) void *caplet_frame(void)
{
    volatile char room[CAPLET_FRAME];
    room[0] = 0;
    return __builtin_frame_address(0);
}

#define __builtin_frame_address(level) caplet_frame()

#endif
