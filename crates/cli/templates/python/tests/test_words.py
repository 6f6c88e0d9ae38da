import unittest

from words import summarize


class Words(unittest.TestCase):
    def test_it_counts_lines_and_words(self):
        frequent = [("be", 2), ("to", 2)]
        self.assertEqual(summarize("To be,\nor not to be\n", 2), (2, 6, frequent))

    def test_it_refuses_what_would_make_a_long_answer(self):
        with self.assertRaisesRegex(ValueError, "ask for fewer"):
            summarize("", 101)


if __name__ == "__main__":
    unittest.main()
