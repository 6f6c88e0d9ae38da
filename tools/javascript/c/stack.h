/* Read before each file of QuickJS: makes its check of the stack count for the machine's stack too.
 *
 * QuickJS compares the address of a frame, less what the caller says it will need, with a limit. In WebAssembly that is an address in
 * linear memory, where only those variables live whose address is taken; what a call takes of the machine's own stack cannot be seen.
 * It was measured by kind of recursion (`cases/run.toml`), and the two places where linear memory says too little are told apart by what
 * they hand to the check (`CAPLET_` is put before it):
 *
 * - `0`: functions that call themselves, such as those of JSON, of `flat` and of regular expressions. Each gets CAPLET_FRAME bytes more
 *   of linear stack, about as much as it takes of the machine's.
 * - `1000`: the parser. It takes up to 15 times as much of the machine's stack as of linear memory, and its check is in a function that has
 *   returned when the next level begins. So it ends with CAPLET_PARSER bytes left of those that `src/session.rs` says the engine may
 *   use. The parser of JSON hands over the same number, but its functions make the other check too.
 *
 * Everything else takes up to 4 times as much of the machine's stack as of linear memory. */
#ifndef CAPLET_STACK_H
#define CAPLET_STACK_H

#define CAPLET_FRAME 128
#define CAPLET_PARSER (200 * 1024)

#define js_check_stack_overflow(runtime, size) js_check_stack_overflow(runtime, CAPLET_##size)
#define lre_check_stack_overflow(opaque, size) lre_check_stack_overflow(opaque, CAPLET_##size)

#define CAPLET_0                                                                                                                         \
    ({                                                                                                                                   \
        char room[CAPLET_FRAME];                                                                                                         \
        __asm__ volatile("" : : "r"(room) : "memory");                                                                                   \
        (size_t)0;                                                                                                                       \
    })
#define CAPLET_1000 (sizeof(__func__) == sizeof("next_token") ? CAPLET_PARSER : 1000)
/* What else is handed over, and the declarations of the two functions, stay as they are. */
#define CAPLET_sizeof sizeof
#define CAPLET_size_t size_t
#define CAPLET_alloca_size alloca_size
#define CAPLET_stack_size stack_size

#endif
