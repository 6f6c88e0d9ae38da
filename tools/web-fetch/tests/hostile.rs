//! Pages made to hurt: nothing overflows, and what a page costs grows with its length only.

mod support;

use std::time::{Duration, Instant};

use support::{answer, html, page};
use web_fetch::{Format, Page};

/// Much more than any of these takes, also in a debug build on a busy machine; where cost grew with the square, each took minutes or
/// all memory.
const LIMIT: Duration = Duration::from_secs(60);

fn read(source: &str) -> Page {
    let started = Instant::now();
    let found = page(html(source), |_| {});
    page(html(source), |request| request.main_content = true);
    page(html(source), |request| request.format = Format::Text);
    let taken = started.elapsed();
    assert!(taken < LIMIT, "{taken:?} for {}…", source.chars().take(60).collect::<String>());
    assert!(found.content.len() <= 256 * 1024);
    found
}

fn repeated(unit: &str, times: usize) -> String {
    unit.repeat(times)
}

fn numbered(times: usize, unit: impl Fn(usize) -> String) -> String {
    (0..times).map(unit).collect()
}

#[test]
fn nesting_of_any_depth_is_read() {
    for unit in [
        "<div>",
        "<b>",
        "<span>",
        "<p>",
        "<ul><li>",
        "<ol><li>",
        "<blockquote>",
        "<table><tr><td>",
        "<table>",
        "<a href=x>",
        "<em><p>",
        "<dl><dd>",
        "<pre>",
        "<h1>",
        "<form>",
        "<button>",
        "<svg>",
        "<math><mi>",
        "<svg><desc>",
        "<template>",
        "<font size=1>",
        "<object>",
        "<header>",
        "<nobr>",
        "<ruby><rt>",
        "<select><option>",
        "<frameset>",
        "<code>",
        "<q>",
        "<details>",
        "<i><table>",
    ] {
        let found = read(&format!("{}deep", repeated(unit, 4_000)));
        assert!(found.notice.is_none() || found.content.len() < 300_000, "{unit}");
    }
    let closed = format!("{}deep{}after", repeated("<div>", 100_000), repeated("</div>", 100_000));
    assert!(read(&closed).content.contains("after"));
}

#[test]
fn formatting_that_is_opened_anew_in_each_paragraph_is_bounded() {
    read(&numbered(2_000, |index| format!("<p><b id={index}>x</p>")));
    read(&format!("{}{}", numbered(500, |index| format!("<font size={index}>")), repeated("<p>x</p>", 2_000)));
    read(&format!("{}{}", numbered(2_000, |index| format!("<a id={index}><div>")), repeated("</a>", 5_000)));
    read(&repeated("<a><b><p></a></b>", 10_000));
    read(&repeated("<table><b>x<tr><td><i>y", 5_000));
    read(&repeated("<b><i><u><div></b></i></u>x", 10_000));
}

#[test]
fn tags_that_close_nothing_cost_no_more_than_others() {
    read(&format!("{}{}", repeated("<span>", 500), repeated("</x>", 50_000)));
    read(&format!("{}{}", repeated("<b>", 500), repeated("</p>", 20_000)));
    read(&format!("<p>x{}", repeated("</br>", 100_000)));
}

#[test]
fn a_tag_with_very_many_attributes_is_read() {
    read(&format!("<p {}>x", numbered(500_000, |index| format!("a{index} "))));
    read(&format!("<p {}>x", repeated("class=x ", 500_000)));
    read(&format!("<p class='{}' style='{}'>x", repeated("a ", 1_000_000), repeated("a:b;", 1_000_000)));
    read(&format!("<{}>x</{}>y", repeated("a", 3_000_000), repeated("a", 3_000_000)));
    read(&numbered(20_000, |index| format!("<x{index} y{index}>")));
}

#[test]
fn what_a_page_becomes_is_bounded() {
    let base = format!("<base href='https://example.com/{}/'>", repeated("a", 1_900));
    let found = page(html(&format!("{base}{}", repeated("<a href=x>y</a>", 20_000))), |_| {});
    assert!(found.next_cursor.is_some() && found.notice.unwrap().contains("too large"));
    for source in [
        format!("{base}<table><tr>{}</table>", repeated("<td><a href=x>y</a>", 20_000)),
        format!("{base}<a href=x>{}</a>", repeated("<p>y</p>", 20_000)),
    ] {
        assert!(page(html(&source), |_| {}).notice.unwrap().contains("too large"));
    }
    read(&format!("<table>{}</table>", repeated("<tr><td colspan=1000><td rowspan=65534>x", 10_000)));
    read(&format!("{}{}", repeated("<blockquote><ul><li>", 300), repeated("<p>x</p>", 10_000)));
    read(&repeated("<li>", 50_000));
    let cut = page(html(&repeated("<br>", 1_100_000)), |_| {});
    assert!(cut.notice.unwrap().contains("too large"));
}

#[test]
fn half_a_page_is_read_as_far_as_it_goes() {
    for source in [
        "",
        "<",
        "<p",
        "<p a",
        "<p a='",
        "<!",
        "<!--",
        "<!--x",
        "<!doctype",
        "<![CDATA[",
        "</",
        "</p",
        "&",
        "&#",
        "&#x",
        "&amp",
        "<?x",
        "<script>",
        "<script><!--",
        "<title>",
        "<textarea>",
        "<plaintext>a<b>",
        "<svg><![CDATA[x]]>",
        "\0<p>\0a\0",
        "<p>\u{fffd}",
        "&#0;&#x110000;&#xd800;&#1;",
        "<table></p><caption></table>",
        "</body></html>x<p>y",
        "<frameset><p>",
        "<select><table><input>",
        "<math><annotation-xml encoding=text/html><div>x",
        "<svg><foreignObject><p>x",
        "<noscript><p>x</noscript>",
        "<html><html a=b><body><body c=d>",
        "<table><select><option></table>x",
        "<template><tr></template>y",
        "<form><form><input form=x></form>",
        "<image src=x>",
        "<b><table><tr><td></b>x</table>",
        "<a><a><a>x",
        "<h1><h2>x</h1>y",
        "<isindex>",
        "<svg></p>x",
        "<math><p>x",
    ] {
        read(source);
    }
}

#[test]
fn every_short_mix_of_tags_is_read() {
    let parts = [
        "<p>",
        "</p>",
        "<b>",
        "</b>",
        "<a href=/>",
        "</a>",
        "<table>",
        "<tr>",
        "<td>",
        "</table>",
        "<ul>",
        "<li>",
        "</ul>",
        "<pre>",
        "</pre>",
        "<code>",
        "</code>",
        "<h1>",
        "</h1>",
        "<blockquote>",
        "</blockquote>",
        "x ",
        "<br>",
        "<svg>",
        "</svg>",
        "<select>",
        "<template>",
        "</template>",
    ];
    // A small generator, so that a failure can be repeated.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..3_000 {
        let mut source = String::new();
        for _ in 0..30 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            source.push_str(parts[usize::try_from(state % parts.len() as u64).unwrap()]);
        }
        let found = page(html(&source), |request| request.main_content = state & 1 == 1).content;
        assert!(!found.contains("\n\n\n"), "{source:?} gives {found:?}");
    }
}

#[test]
fn other_content_made_to_hurt_is_bounded() {
    let json = |body: String| page(answer(200, &[("content-type", "application/json")], body), |_| {});
    let deep = json(repeated("[", 1_000_000));
    assert!(deep.content.starts_with("[[[["));
    let wide = json(format!("{}{}{}", repeated("[", 120), repeated("1,", 500_000) + "1", repeated("]", 120)));
    assert!(wide.content.starts_with("[[[["), "indented it would be larger than what is given");
    json(repeated("\"", 1_000_000));
    let meta = page(answer(200, &[("content-type", "text/html")], repeated("<meta charset=", 500_000)), |_| {});
    assert_eq!(meta.status, 200);
}

#[test]
fn what_could_deceive_is_taken_out_of_text_and_kept_in_raw() {
    let source = "<title>a\u{202e}b</title><p>x\u{1b}[31m\u{202e}y\u{e0041}z\u{ad}\u{200b}w 👩\u{200d}👩</p>";
    let found = page(html(source), |_| {});
    assert_eq!((found.content.as_str(), found.title.as_deref()), ("x[31myzw 👩\u{200d}👩\n", Some("ab")));
    assert!(found.notice.unwrap().contains("3 invisible characters taken out"));
    let raw = page(html(source), |request| request.format = Format::Raw);
    assert_eq!((raw.content.as_str(), raw.notice), (source, None));
}
