#include <assert.h>
#include <string.h>

#include "../src/words.h"

static void it_counts_lines_and_words(void) {
    const char *text = "To be,\nor not to be\n";
    struct summary summary;
    assert(summarize(text, strlen(text), 2, &summary) == NULL);
    assert(summary.lines == 2 && summary.words == 6 && summary.named == 2);
    assert(strcmp(summary.frequent[0].word, "be") == 0 && summary.frequent[0].count == 2);
    assert(strcmp(summary.frequent[1].word, "to") == 0 && summary.frequent[1].count == 2);
    free_summary(&summary);
}

static void it_refuses_what_would_make_a_long_answer(void) {
    struct summary summary;
    const char *problem = summarize("", 0, MOST + 1, &summary);
    assert(problem != NULL && strstr(problem, "ask for fewer") != NULL);
}

int main(void) {
    it_counts_lines_and_words();
    it_refuses_what_would_make_a_long_answer();
    return 0;
}
