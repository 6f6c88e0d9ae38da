// What the tool does, in plain C: the test in test/ tries it without a sandbox.

#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>

// The most words that an answer names, so that it stays short.
enum { MOST = 100 };

// A word and how often it occurs. The letters are the summary's own.
struct frequency {
    const char *word;
    size_t count;
};

// What is known of a text.
struct summary {
    size_t lines;
    size_t words;
    // The words that occur most often, the most frequent first.
    struct frequency *frequent;
    size_t named;
    // What `frequent` points into.
    char *letters;
};

// Counts the lines and words of `text`, and names its `top` most frequent words.
//
// Gives NULL, or what is wrong: that reaches the caller as the tool's error, and says what to do
// next. Only a summary that was made has to be freed.
const char *summarize(const char *text, size_t length, size_t top, struct summary *summary);

void free_summary(struct summary *summary);

#endif
