use tool::summarize;

#[test]
fn it_counts_lines_and_words() {
    let summary = summarize("To be,\nor not to be\n", Some(2)).unwrap();
    assert_eq!((summary.lines, summary.words), (2, 6));
    assert_eq!(
        summary.frequent,
        [("be".to_owned(), 2), ("to".to_owned(), 2)]
    );
}

#[test]
fn it_refuses_what_would_make_a_long_answer() {
    assert!(
        summarize("", Some(101))
            .unwrap_err()
            .contains("ask for fewer")
    );
}
