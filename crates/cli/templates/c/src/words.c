#include "words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Letters and digits, and every byte of a letter beyond ASCII in UTF-8.
static bool is_letter(unsigned char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || byte >= 0x80;
}

// Copies `text` with its letters in lower case and a 0 after each word; gives how many there are.
static size_t split(const char *text, size_t length, char *letters) {
    size_t words = 0;
    for (size_t at = 0; at < length; at++) {
        char byte = text[at];
        bool in_word = is_letter((unsigned char)byte);
        letters[at] = '\0';
        if (in_word) {
            letters[at] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
            words += at == 0 || letters[at - 1] == '\0';
        }
    }
    letters[length] = '\0';
    return words;
}

static int by_word(const void *one, const void *other) {
    const struct frequency *a = one, *b = other;
    return strcmp(a->word, b->word);
}

static int by_count(const void *one, const void *other) {
    const struct frequency *a = one, *b = other;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return by_word(one, other);
}

// Makes one entry of those with the same word; gives how many are left.
static size_t merge(struct frequency *entries, size_t count) {
    size_t kept = 0;
    for (size_t at = 0; at < count; at++) {
        if (kept > 0 && strcmp(entries[kept - 1].word, entries[at].word) == 0) {
            entries[kept - 1].count += 1;
        } else {
            entries[kept++] = entries[at];
        }
    }
    return kept;
}

const char *summarize(const char *text, size_t length, size_t top, struct summary *summary) {
    if (top > MOST) {
        return "more than 100 words were asked for with --top: ask for fewer";
    }
    char *letters = malloc(length + 1);
    if (letters == NULL) {
        return "the text is too large: send less of it";
    }
    size_t words = split(text, length, letters);
    struct frequency *entries = calloc(words + 1, sizeof *entries);
    if (entries == NULL) {
        free(letters);
        return "the text has too many words: send less of it";
    }
    size_t found = 0;
    for (size_t at = 0; at < length; at++) {
        if (letters[at] != '\0' && (at == 0 || letters[at - 1] == '\0')) {
            entries[found++] = (struct frequency){letters + at, 1};
        }
    }
    qsort(entries, found, sizeof *entries, by_word);
    size_t different = merge(entries, found);
    qsort(entries, different, sizeof *entries, by_count);

    size_t lines = length > 0 && text[length - 1] != '\n';
    for (size_t at = 0; at < length; at++) {
        lines += text[at] == '\n';
    }
    *summary = (struct summary){lines, words, entries, different < top ? different : top, letters};
    return NULL;
}

void free_summary(struct summary *summary) {
    free(summary->frequent);
    free(summary->letters);
}
