//! HTML as a reader gets it.

mod support;

use support::{html, markdown, page};
use web_fetch::Format;

#[test]
fn each_element_becomes_its_markdown() {
    let cases = [
        ("<h1>One</h1><h2>Two <b>bold</b></h2><p>Text</p><h6>Six</h6>", "# One\n\n## Two bold\n\nText\n\n###### Six\n"),
        ("<p>a  b\n\tc</p><p>&nbsp;d&amp;e &lt;f&gt; &eacute;</p>", "a b c\n\nd&e \\<f> é\n"),
        ("<p>a<b> b </b>c <em>d</em> <strong><strong>e</strong></strong></p>", "a **b** c *d* **e**\n"),
        ("<p><b>a<i>b</i></b><b> </b><i></i></p>", "**a*b***\n"),
        ("<p><del>old</del> <s>a</s> <ins>new</ins></p>", "~~old~~ ~~a~~ new\n"),
        (
            "<p>x<sup>2</sup> H<sub>2</sub>O<sup><a href='#n'>[1]</a></sup></p>",
            "x<sup>2</sup> H<sub>2</sub>O[\\[1\\]](https://example.com/docs/page#n)\n",
        ),
        ("<p>a<br>b<br><br>c<br></p>", "a  \nb\n\nc\n"),
        ("<p>a</p><hr><p>b</p>", "a\n\n---\n\nb\n"),
        ("<p>Use <code>a_b*`c</code> and <kbd>Ctrl</kbd></p>", "Use ``a_b*`c`` and `Ctrl`\n"),
        (
            "<p><code>a&lt;<a href=/b>B</a>, <a href=/c>C</a>&gt;</code></p>",
            "`a<`[`B`](https://example.com/b)`,` [`C`](https://example.com/c)`>`\n",
        ),
        ("<p>He said <q>yes</q>.</p>", "He said “yes”.\n"),
        ("<blockquote><p>a</p><p>b</p></blockquote><p>c</p>", "> a\n>\n> b\n\nc\n"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote><blockquote>c</blockquote>", "> a\n>\n> > b\n\n> c\n"),
        ("<div>a<div>b</div>c</div>", "a\n\nb\n\nc\n"),
        ("<dl><dt>Term<dd>One<dd>Two<dt>Next<dd>Three</dl>", "Term\n: One\n: Two\n\nNext\n: Three\n"),
        ("<details><summary>More</summary><p>Text</p></details>", "More\n\nText\n"),
        (
            "<figure><img src=a.png alt='A  b'><figcaption>Cap</figcaption></figure>",
            "![A b](https://example.com/docs/a.png)\n\nCap\n",
        ),
        ("<math alttext='x^2'><mi>x</mi></math>", "$x^2$\n"),
    ];
    for (source, expected) in cases {
        assert_eq!(markdown(source), expected, "{source}");
    }
}

#[test]
fn lists_keep_their_nesting_and_numbers() {
    let cases = [
        ("<ul><li>a<li>b<ul><li>c<li>d</ul><li>e</ul>", "- a\n- b\n  - c\n  - d\n- e\n"),
        ("<ol start=9><li>a<li>b<ol><li>c</ol><li value=20>d</ol><p>e", "9. a\n10. b\n    1. c\n20. d\n\ne\n"),
        ("<ol reversed start=2><li>a<li>b</ol>", "2. a\n1. b\n"),
        ("<p>x</p><ul><li><p>a</p><p>b</p></li><li><p>c</p></li></ul>", "x\n\n- a\n\n  b\n- c\n"),
        ("<ul><li><ul><li>a</ul></ul>", "- - a\n"),
        ("<ul><li></li><li> </li><li>a</li></ul>", "- a\n"),
        ("<ul><li><input type=checkbox checked> a<li><input type=checkbox> b</ul>", "- [x] a\n- [ ] b\n"),
        ("<ul><li>a<pre>b\n c</pre></ul>", "- a\n\n  ```\n  b\n   c\n  ```\n"),
        ("<blockquote><ul><li>a<li>b</ul></blockquote>", "> - a\n> - b\n"),
        ("<ul><li>a<blockquote>b</blockquote>c</ul>", "- a\n\n  > b\n\n  c\n"),
    ];
    for (source, expected) in cases {
        assert_eq!(markdown(source), expected, "{source}");
    }
}

#[test]
fn code_keeps_every_character_and_its_language() {
    let cases = [
        (
            "<pre><code class='language-rust'>fn a() {\n    b &lt; c\n}\n</code></pre>",
            "```rust\nfn a() {\n    b < c\n}\n```\n",
        ),
        ("<pre>\n\n a  <b>b</b>\n</pre>", "```\n a  b\n```\n"),
        ("<pre>```\nx</pre>", "````\n```\nx\n````\n"),
        ("<div class='highlight highlight-source-c++'><pre>x</pre></div>", "```c++\nx\n```\n"),
        ("<pre data-lang=py><div>a</div><div>b</div></pre>", "```py\na\nb\n```\n"),
        ("<pre class='language-x\"y'>a<br>b</pre>", "```\na\nb\n```\n"),
        ("<pre></pre><p>a", "a\n"),
    ];
    for (source, expected) in cases {
        assert_eq!(markdown(source), expected, "{source}");
    }
}

#[test]
fn tables_of_data_become_tables_and_others_text() {
    let cases = [
        ("<table><tr><th>A<th>B</tr><tr><td>1|2<td><b>x</b></table>", "| A | B |\n| --- | --- |\n| 1\\|2 | **x** |\n"),
        (
            "<table><caption>Cap</caption><thead><tr><td>A<td>B<tbody><tr><td><p>a</p><p>b</p><td></table>",
            "Cap\n\n| A | B |\n| --- | --- |\n| a<br>b |  |\n",
        ),
        ("<table><tr><td>1<td>2<tr><td colspan=2>3</table>", "|  |  |\n| --- | --- |\n| 1 | 2 |\n| 3 |  |\n"),
        ("<table><tr><th>k<td>v<tr><th>l<td>w</table>", "|  |  |\n| --- | --- |\n| k | v |\n| l | w |\n"),
        (
            "<table><tr><td>a<td><ul><li><div>b</div>&#8203;<br>&#8203;<li><li>c</ul></table>",
            "|  |  |\n| --- | --- |\n| a | - b<br>- c |\n",
        ),
        ("<table><tr><td>a<td><code>x|y</code></table>", "|  |  |\n| --- | --- |\n| a | `x\\|y` |\n"),
        (
            "<table><tr><td><table><tr><td>1<td>2</table><tr><td>a b</table>",
            "|  |  |\n| --- | --- |\n| 1 | 2 |\n\na b\n",
        ),
        ("<table><tr><td>only<tr><td>one</table>", "only\n\none\n"),
        ("<table role=presentation><tr><td>a<td>b</table>", "a b\n"),
        ("<ul><li>a<table><tr><th>x<th>y</table></ul>", "- a\n\n  | x | y |\n  | --- | --- |\n"),
    ];
    for (source, expected) in cases {
        assert_eq!(markdown(source), expected, "{source}");
    }
}

#[test]
fn links_and_pictures_are_absolute() {
    let cases = [
        ("<a href='../x?a=1&amp;b#c'>t</a>", "[t](https://example.com/x?a=1&b#c)\n"),
        ("<a href='//cdn.example.org/y'>t</a>", "[t](https://cdn.example.org/y)\n"),
        ("<a href='#top'>t</a>", "[t](https://example.com/docs/page#top)\n"),
        ("<a href='https://example.com/a_b'>https://example.com/a_b</a>", "<https://example.com/a_b>\n"),
        ("<a href='/w/A_(b)'>[t]</a>", "[\\[t\\]](https://example.com/w/A_(b))\n"),
        ("<a href='/w/A(b'>t</a>", "[t](<https://example.com/w/A(b>)\n"),
        ("<a href='mailto:a@b.c'>mail</a>", "[mail](mailto:a@b.c)\n"),
        ("<a href='javascript:alert(1)'>t</a> <a href='http://['>u</a> <a name=x>v</a>", "t u v\n"),
        ("<a href=/a><h3>T</h3><p>x</p></a>", "### [T](https://example.com/a)\n\n[x](https://example.com/a)\n"),
        ("<a href=/a><img src=/i.png alt=i></a>", "[![i](https://example.com/i.png)](https://example.com/a)\n"),
        ("<a href=/a aria-label='Home page'><svg><text>x</text></svg></a>", "[Home page](https://example.com/a)\n"),
        ("<a href=/a></a><h2>T <a href='#t'>¶</a></h2>", "## T\n"),
        ("<a href=/a><b> t </b></a>u", "[**t**](https://example.com/a) u\n"),
        ("<img src=data:image/png;base64,AAAA alt=x><img src=/p.gif width=1 height=1><img>", "x\n"),
        ("<img src='data:,' data-src=/late.png>", "![](https://example.com/late.png)\n"),
    ];
    for (source, expected) in cases {
        assert_eq!(markdown(source), expected, "{source}");
    }
    let based = "<base href='https://other.example/d/'><a href=x>t</a><base href=/no/>";
    assert_eq!(markdown(based), "[t](https://other.example/d/x)\n");
}

#[test]
fn text_that_looks_like_markup_is_escaped_and_nothing_else() {
    let cases = [
        ("# a", "\\# a"),
        ("#a", "#a"),
        ("1. a", "1\\. a"),
        ("- a", "\\- a"),
        ("+ a", "\\+ a"),
        ("---", "\\---"),
        ("&gt; a", "\\> a"),
        ("* a", "\\* a"),
        ("2 * 3 and 2*3", "2 * 3 and 2\\*3"),
        ("snake_case _x_", "snake_case \\_x_"),
        ("a `b` c", "a \\`b\\` c"),
        ("[a](b) [1] x", "[a\\](b) [1] x"),
        ("a &lt;b&gt; &lt; c", "a \\<b> < c"),
        ("&amp;amp; &amp; R&amp;D", "\\&amp; & R&D"),
        ("C:\\dir \\* ~~x~~ ~1", "C:\\dir \\\\* \\~\\~x\\~\\~ ~1"),
        ("a | b", "a | b"),
    ];
    for (source, expected) in cases {
        assert_eq!(markdown(&format!("<p>{source}</p>")), format!("{expected}\n"), "{source}");
    }
}

#[test]
fn what_is_not_seen_is_left_out() {
    let source = "<html><head><title> A \n b </title><style>x{}</style></head><body><script>var a='<p>no</p>'</script>
        <noscript>no</noscript><template><p>no</p></template><p hidden>no</p><p style='color:red; DISPLAY : none'>no</p>
        <span aria-hidden=true>no</span><textarea>no</textarea><select><option>no</select><iframe>no</iframe>
        <svg><title>no</title><text>no</text></svg><dialog>no</dialog><!-- no --><p>yes</p>";
    let found = page(html(source), |_| {});
    assert_eq!((found.content.as_str(), found.title.as_deref()), ("yes\n", Some("A b")));
    let shared = page(html("<meta property='og:title' content='Shared'><p>x"), |_| {});
    assert_eq!(shared.title.as_deref(), Some("Shared"));
}

#[test]
fn text_has_no_markup() {
    let source = "<h1>T</h1><p>a <b>b</b> <a href=/x>c</a> x<sup>2</sup></p><ul><li>1<li>2</ul><pre>a\n b</pre>
        <table><tr><th>A<th>B<tr><td>1<td>2</table><blockquote>q*_</blockquote><div>d</div><div>e</div><img src=x alt=pic>";
    let found = page(html(source), |request| request.format = Format::Text);
    assert_eq!(found.content, "T\n\na b c x^2\n\n- 1\n- 2\n\na\n b\n\nA\tB\n1\t2\n\nq*_\n\nd\ne\npic\n");
}

#[test]
fn main_content_leaves_out_what_stands_around() {
    let text = "This paragraph says something, and it does so at some length. ".repeat(8);
    let around = "<header><a href=/>Home</a> Brand</header><nav><ul><li><a href=/a>Menu</a></ul></nav>";
    let foot = "<aside>Aside</aside><div class='cookie-banner'>Cookies</div><footer>Imprint</footer>";
    let bodies = [
        format!("{around}<main><h1>T</h1><p>{text}</p><nav>In page</nav></main>{foot}"),
        format!(
            "{around}<article><header><h1>T</h1></header><p>{text}</p><div class=share>Share</div></article>{foot}"
        ),
        format!("{around}<div role=main><h1>T</h1><p>{text}</p><div id=related-posts>Related</div></div>{foot}"),
        format!(
            "{around}<div class=has-sidebar><div class=x><h1>T</h1><p>{text}</p><p>{text}</p></div><div class=sidebar>Side</div></div>{foot}"
        ),
    ];
    for body in bodies {
        let found = page(html(&body), |request| request.main_content = true).content;
        assert!(found.starts_with("# T\n\nThis paragraph"), "{body}\n{found}");
        for word in ["Home", "Brand", "Menu", "Aside", "Cookies", "Imprint", "In page", "Share", "Related", "Side"] {
            assert!(!found.contains(word), "{word} in {found}");
        }
        assert!(page(html(&body), |_| {}).content.contains("Imprint"));
    }
    let none = page(html("<p></p>"), |request| request.main_content = true);
    assert!(none.notice.unwrap().contains("No main content"));
}

#[test]
fn a_page_built_by_scripts_says_so() {
    let found = page(html(&format!("<div id=app></div><script>{}</script>", "x;".repeat(2_000))), |_| {});
    assert!(found.notice.unwrap().contains("built by scripts"));
}
