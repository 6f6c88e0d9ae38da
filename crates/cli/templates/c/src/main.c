// The command's side: arguments and standard input in, JSON out.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

// What is on standard error, and an exit code other than 0, are the tool's error.
static int fail(const char *message) {
    fprintf(stderr, "%s\n", message);
    return EXIT_FAILURE;
}

// Reads `in` to its end into memory that the caller frees; NULL if that fails.
static char *read_all(FILE *in, size_t *length) {
    char *text = NULL;
    size_t room = 0;
    *length = 0;
    do {
        if (*length == room) {
            room = room == 0 ? 4096 : room * 2;
            char *larger = realloc(text, room);
            if (larger == NULL) {
                free(text);
                return NULL;
            }
            text = larger;
        }
        *length += fread(text + *length, 1, room - *length, in);
    } while (!feof(in) && !ferror(in));
    return text;
}

// Words are letters and digits, so nothing in them has to be escaped.
static void print(const struct summary *summary) {
    printf("{\"lines\":%zu,\"words\":%zu,\"frequent\":[", summary->lines, summary->words);
    for (size_t at = 0; at < summary->named; at++) {
        const struct frequency *entry = &summary->frequent[at];
        printf("%s{\"word\":\"%s\",\"count\":%zu}", at > 0 ? "," : "", entry->word, entry->count);
    }
    printf("]}\n");
}

int main(int count, char **arguments) {
    size_t top = 5;
    if (count == 3 && strcmp(arguments[1], "--top") == 0) {
        char *end;
        top = strtoul(arguments[2], &end, 10);
        if (*end != '\0' || arguments[2][0] == '\0') {
            return fail("--top takes a number");
        }
    } else if (count != 1) {
        return fail("usage: [--top NUMBER], with the text on standard input");
    }
    size_t length;
    char *text = read_all(stdin, &length);
    if (text == NULL) {
        return fail("the text is too large: send less of it");
    }
    struct summary summary;
    const char *problem = summarize(text, length, top, &summary);
    if (problem == NULL) {
        print(&summary);
        free_summary(&summary);
    }
    free(text);
    return problem == NULL ? EXIT_SUCCESS : fail(problem);
}
