//! What a caller of `web-fetch` gets, by request and answer.
#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use support::{Answer, answer, call, html, page, refusal, request};
use web_fetch::{Encoding, Failure, Format, Hop, Page, Request};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const PLAIN: &[(&str, &str)] = &[("content-type", "text/plain; charset=utf-8")];

fn ok(request: &Request, answers: &[Answer]) -> Page {
    call(request, answers).0.unwrap()
}

fn error(request: &Request, answers: &[Answer]) -> String {
    call(request, answers).0.unwrap_err()
}

#[test]
fn a_request_goes_out_as_it_is_asked_for() {
    let (_, sent) = call(&request(" HTTPS://EXAMPLE.com:443/a b?q=ü#frag "), &[html("x")]);
    assert_eq!((sent[0].method.as_str(), sent[0].url.as_str()), ("GET", "https://example.com/a%20b?q=%C3%BC#frag"));
    assert_eq!(sent[0].header("user-agent"), Some("caplet-web-fetch/0.1"));
    assert_eq!(sent[0].header("accept-encoding"), Some("identity"));
    assert!(sent[0].header("accept").unwrap().contains("text/html"));
    assert_eq!((sent[0].header("content-type"), sent[0].body.as_ref()), (None, None));

    let asked = Request {
        method: Some("patch".into()),
        headers: vec![("X-Key".into(), " v ".into()), ("Accept".into(), "application/json".into())],
        body: Some("{\"a\": 1}".into()),
        ..request("http://münchen.example:8080")
    };
    let (_, sent) = call(&asked, &[html("x")]);
    assert_eq!((sent[0].method.as_str(), sent[0].url.as_str()), ("PATCH", "http://xn--mnchen-3ya.example:8080/"));
    assert_eq!((sent[0].header("x-key"), sent[0].header("accept")), (Some("v"), Some("application/json")));
    assert_eq!(
        (sent[0].header("content-type"), sent[0].header("content-length")),
        (Some("application/json"), Some("8"))
    );

    let (_, sent) = call(&Request { body: Some("plain".into()), ..request("http://a.b/") }, &[html("x")]);
    assert_eq!((sent[0].method.as_str(), sent[0].header("content-type")), ("POST", Some("text/plain; charset=utf-8")));
}

#[test]
fn a_request_that_is_not_sound_is_never_sent() {
    let headers = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let base = || request("https://example.com/");
    let cases = [
        (request(" "), "url is empty"),
        (request("example.com/x"), "did you mean `https://example.com/x`?"),
        (request("//example.com/x"), "did you mean `https://example.com/x`?"),
        (request("ftp://example.com/"), "only http and https"),
        (request("file:///etc/passwd"), "use file-read"),
        (request("javascript:alert(1)"), "only http and https"),
        (request("https://"), "url is no valid URL"),
        (request("https://a b/"), "url is no valid URL"),
        (request("https://user:pw@example.com/"), "user name or password"),
        (request(&format!("https://example.com/{}", "a".repeat(9_000))), "longer than 8192"),
        (Request { method: Some("TRACE".into()), ..base() }, "TRACE cannot be sent"),
        (Request { method: Some("connect".into()), ..base() }, "CONNECT cannot be sent"),
        (Request { method: Some("GET x".into()), ..base() }, "not the name of an HTTP method"),
        (Request { method: Some(String::new()), ..base() }, "not the name of an HTTP method"),
        (Request { method: Some("GET".into()), body: Some("x".into()), ..base() }, "a GET request has no body"),
        (Request { headers: headers("Host", "evil"), ..base() }, "`host` cannot be set: it follows from url"),
        (Request { headers: headers("Transfer-Encoding", "chunked"), ..base() }, "`transfer-encoding` cannot be set"),
        (Request { headers: headers("Content-Length", "1"), ..base() }, "`content-length` cannot be set"),
        (Request { headers: headers("accept-encoding", "br"), ..base() }, "`accept-encoding` cannot be set"),
        (Request { headers: headers("a b", "x"), ..base() }, "no name of a header"),
        (Request { headers: headers("", "x"), ..base() }, "no name of a header"),
        (Request { headers: headers("x-a", "1\r\nhost: evil"), ..base() }, "control character"),
        (Request { headers: vec![("x".into(), String::new()); 65], ..base() }, "too many"),
        (Request { max_chars: Some(0), ..base() }, "max_chars is 0"),
        (Request { max_chars: Some(262_145), ..base() }, "from 1 to 262144"),
        (Request { cursor: Some("5".into()), ..base() }, "not one that web-fetch gave"),
        (Request { cursor: Some("-1-0000000000000000".into()), ..base() }, "not one that web-fetch gave"),
    ];
    for (request, expected) in cases {
        let (outcome, sent) = call(&request, &[]);
        let found = outcome.unwrap_err();
        assert!(found.contains(expected), "{found:?} lacks {expected:?}");
        assert!(sent.is_empty());
    }
}

#[test]
fn redirects_change_the_method_as_the_standard_says() {
    let cases = [
        (301, "GET", "GET"),
        (302, "GET", "GET"),
        (303, "GET", "GET"),
        (307, "GET", "GET"),
        (308, "GET", "GET"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (303, "PUT", "GET"),
        (307, "PUT", "PUT"),
        (308, "PATCH", "PATCH"),
        (301, "HEAD", "HEAD"),
        (303, "HEAD", "HEAD"),
        (307, "HEAD", "HEAD"),
    ];
    for (status, before, after) in cases {
        let body = (!matches!(before, "GET" | "HEAD")).then(|| "{}".to_owned());
        let kept = (before == after).then(|| body.clone()).flatten();
        let asked = Request { method: Some(before.into()), body, ..request("https://example.com/a/b#f") };
        let (outcome, sent) = call(&asked, &[answer(status, &[("location", "../c?d")], ""), html("<title>T</title>x")]);
        let found = outcome.unwrap();
        assert_eq!((sent[1].method.as_str(), &sent[1].body), (after, &kept), "{status} {before}");
        assert_eq!(sent[1].header("content-type").is_some(), kept.is_some(), "{status} {before}");
        assert_eq!(sent[1].header("content-length").is_some(), kept.is_some(), "{status} {before}");
        assert_eq!((found.status, found.final_url.as_str()), (200, "https://example.com/c?d#f"));
        let hop = |url: &str, status, method: &str| Hop { url: url.into(), status, method: method.into() };
        assert_eq!(
            found.hops,
            [hop("https://example.com/a/b#f", status, before), hop("https://example.com/c?d#f", 200, after)]
        );
    }
}

#[test]
fn what_may_be_a_credential_does_not_reach_another_origin() {
    let targets = [
        ("https://example.com/x", true),
        ("/x", true),
        ("https://EXAMPLE.com:443/x", true),
        ("http://example.com/x", false),
        ("https://example.com:8443/x", false),
        ("https://www.example.com/x", false),
        ("//other.example/x", false),
        ("/\\other.example/x", false),
    ];
    for (target, same) in targets {
        let mut asked = request("https://example.com/");
        for (name, value) in
            [("Authorization", "Bearer s"), ("Cookie", "a=b"), ("X-Api-Key", "s"), ("Accept-Language", "de")]
        {
            asked.headers.push((name.into(), value.into()));
        }
        let (outcome, sent) = call(&asked, &[answer(302, &[("location", target)], ""), html("x")]);
        for name in ["authorization", "cookie", "x-api-key"] {
            assert_eq!(sent[1].header(name).is_some(), same, "{name} to {target}");
        }
        assert!(sent[1].header("accept-language").is_some() && sent[1].header("user-agent").is_some());
        assert_eq!(
            outcome.unwrap().notice.is_some_and(|notice| notice.contains("`authorization`, `cookie` or `x-api-key`")),
            !same
        );
    }
    // A way back does not bring them back.
    let mut asked = request("https://example.com/");
    asked.headers.push(("authorization".into(), "s".into()));
    let answers = [
        answer(302, &[("location", "https://other.example/")], ""),
        answer(302, &[("location", "https://example.com/2")], ""),
        html("x"),
    ];
    assert_eq!(call(&asked, &answers).1[2].header("authorization"), None);
}

#[test]
fn a_body_does_not_reach_another_origin() {
    for status in [307, 308] {
        let asked = Request { body: Some("secret".into()), ..request("https://example.com/") };
        let (outcome, sent) = call(&asked, &[answer(status, &[("location", "https://other.example/")], "")]);
        let found = outcome.unwrap_err();
        assert!(
            found.contains("does not send a body on to another origin") && found.contains("https://other.example/"),
            "{found}"
        );
        assert_eq!(sent.len(), 1);
    }
    for status in [301, 302, 303] {
        let asked = Request { body: Some("secret".into()), ..request("https://example.com/") };
        let (_, sent) = call(&asked, &[answer(status, &[("location", "https://other.example/")], ""), html("x")]);
        assert_eq!((sent[1].method.as_str(), sent[1].body.as_ref()), ("GET", None));
    }
}

#[test]
fn redirects_that_lead_nowhere_are_errors() {
    let long = format!("/{}", "a".repeat(64 * 1024));
    let cases: [(&[(&str, &str)], &str); 11] = [
        (&[("location", "/a"), ("Location", "/b")], "more than one place"),
        (&[("location", "file:///etc/passwd")], "only http and https"),
        (&[("location", "javascript:alert(1)")], "only http and https"),
        (&[("location", "https://ok@evil.example/")], "user name"),
        (&[("location", "\t//evil.example/")], "control characters"),
        (&[("location", "/a\u{7f}")], "control characters"),
        (&[("location", "http://[::1/")], "no URL"),
        (&[("location", "https://a..b%00/")], "no URL"),
        (&[("location", &long)], "too long"),
        (&[("location", "")], "circle"),
        (&[("location", "#x")], "circle"),
    ];
    for (headers, expected) in cases {
        let found = error(&request("https://example.com/a"), &[answer(302, headers, "")]);
        assert!(found.contains(expected), "{found} lacks {expected}");
        assert!(found.len() < 2_000);
    }
    let mut broken = answer(302, &[], "");
    broken.headers.push(("location".into(), vec![b'/', 0xff]));
    assert!(error(&request("https://example.com/"), &[broken]).contains("not UTF-8"));

    let circle = [answer(301, &[("location", "/b")], ""), answer(301, &[("location", "/a")], "")];
    assert!(error(&request("https://example.com/a"), &circle).contains("circle"));
    let far: Vec<Answer> = (0..11).map(|hop| answer(302, &[("location", format!("/{hop}").as_str())], "")).collect();
    assert!(error(&request("https://example.com/"), &far).contains("after 10 redirects"));
    let mut enough = far[..10].to_vec();
    enough.push(html("x"));
    assert_eq!(ok(&request("https://example.com/"), &enough).hops.len(), 11);
    // A form that leads back to its own page is no circle, and a redirect without a place is a page.
    let form = [answer(303, &[("location", "/form")], ""), html("done")];
    assert_eq!(
        ok(&Request { body: Some("a=b".into()), ..request("https://example.com/form") }, &form).content,
        "done\n"
    );
    assert_eq!(ok(&request("https://example.com/"), &[answer(302, PLAIN, "go there")]).content, "go there");
    assert_eq!(ok(&request("https://example.com/"), &[answer(304, &[("location", "/x")], "")]).status, 304);
}

#[test]
fn a_refusal_names_the_rule_that_would_permit() {
    let denied = [refusal(Failure::Denied)];
    let found = error(&request("https://example.com/a[1]/b?q=1#f"), &denied);
    assert!(
        found.contains("the operator has not granted it") && found.contains("`fetch:https://example.com/a\\[1\\]/b`"),
        "{found}"
    );
    let found = error(&Request { body: Some("x".into()), ..request("http://example.com:81/a") }, &denied);
    assert!(found.contains("`fetch:POST http://example.com:81/a`"), "{found}");
    let hop = [answer(302, &[("location", "http://169.254.169.254/latest")], ""), refusal(Failure::AddressProhibited)];
    let found = error(&request("https://example.com/"), &hop);
    assert!(
        found.starts_with("a redirect (302) of https://example.com/ leads on, but: not permitted to connect"),
        "{found}"
    );
    assert!(found.contains("`fetch:http://169.254.169.254/latest`"), "{found}");
    let by_name = error(&request("https://intranet.example/"), &[refusal(Failure::AddressProhibited)]);
    assert!(by_name.contains("not public") && by_name.contains("CIDR"), "{by_name}");
}

#[test]
fn each_failure_says_what_to_do() {
    let cases = [
        (Failure::NoAddress, "check the spelling"),
        (Failure::Unreachable, "example.com:81"),
        (Failure::Timeout, "try again later"),
        (Failure::Broken, "closed the connection"),
        (Failure::Tls("its certificate is not valid for this host".into()), "no way to switch the check off"),
        (Failure::HeadersTooLarge, "larger than this call may read"),
        (Failure::RequestTooLarge, "shorten"),
        (Failure::BadUrl, "not a URL"),
        (Failure::BadMethod, "`GET`"),
        (Failure::BadHeader("x-a".into()), "`x-a`"),
        (Failure::TooManyRequests, "as many requests as it may"),
        (Failure::Protocol("its answer is not valid".into()), "not valid"),
        (Failure::Other("the host failed".into()), "the host failed"),
    ];
    for (failure, expected) in cases {
        let found = error(&request("http://example.com:81/"), &[refusal(failure)]);
        assert!(found.contains(expected) && found.ends_with('.'), "{found} lacks {expected}");
    }
}

#[test]
fn an_error_of_the_server_is_a_page() {
    let found = page(answer(404, &[("content-type", "text/html")], "<title>Gone</title><p>Not here"), |_| {});
    assert_eq!((found.status, found.content.as_str(), found.title.as_deref()), (404, "Not here\n", Some("Gone")));
    let empty = page(answer(500, &[], ""), |_| {});
    assert_eq!((empty.status, empty.media_type.as_str(), empty.content.as_str()), (500, "", ""));
    assert!(empty.notice.unwrap().contains("no content"));
}

#[test]
fn json_is_indented_and_nothing_in_it_changes() {
    let source = "{\"b\":[1.10,1e400,[],{}],\"a\":\"x\\\"{,}\\\\\",\"a\":null, \"n\" : 12345678901234567890}";
    let expected = "{\n  \"b\": [\n    1.10,\n    1e400,\n    [],\n    {}\n  ],\n  \"a\": \"x\\\"{,}\\\\\",\n  \"a\": null,\n  \"n\": 12345678901234567890\n}\n";
    let found = page(answer(200, JSON, source), |_| {});
    assert_eq!((found.content.as_str(), found.media_type.as_str()), (expected, "application/json"));
    assert_eq!(page(answer(200, JSON, source), |request| request.format = Format::Raw).content, source);
    assert_eq!(page(answer(200, JSON, "{broken"), |_| {}).content, "{broken");
    assert_eq!(page(answer(200, JSON, "\"ä\""), |_| {}).content, "\"ä\"\n");
    let problem = page(answer(400, &[("content-type", "application/problem+json")], "[1]"), |_| {});
    assert_eq!(problem.content, "[\n  1\n]\n");
}

#[test]
fn the_encoding_is_found_where_it_is_said() {
    let of =
        |content_type: &str, body: &[u8]| page(answer(200, &[("content-type", content_type)], body), |_| {}).content;
    let cases: [(&str, &[u8], &str); 14] = [
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "café"),
        ("text/plain;charset=\"Windows-1251\"", b"\xcf\xf0", "Пр"),
        ("text/plain; charset=utf-8", b"\xff\xfea\0b\0", "ab"),
        ("text/plain; charset=latin1", b"\xef\xbb\xbf\xc3\xa9", "é"),
        ("text/html", b"<meta charset=windows-1251><p>\xcf\xf0", "Пр\n"),
        ("text/html", b"<meta http-equiv=content-type content='text/html; charset=iso-8859-2'><p>\xb1", "ą\n"),
        ("text/html; charset=utf-8", b"<meta charset=windows-1251><p>\xc3\xa9", "é\n"),
        ("text/html", b"<!-- <meta charset=windows-1251> --><p>\xc3\xa9", "é\n"),
        ("text/html", b"<meta charset=utf-16le><p>\xc3\xa9", "é\n"),
        ("text/html", "<p>日本".as_bytes(), "日本\n"),
        (
            "text/xml",
            b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a>\xe9</a>",
            "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a>é</a>",
        ),
        ("text/plain; charset=no-such", b"\xc3\xa9", "é"),
        (
            "text/plain",
            b"\x93\xfa\x96\x7b\x8c\xea\x82\xcc\x83\x65\x83\x4c\x83\x58\x83\x67\x82\xc5\x82\xb7",
            "日本語のテキストです",
        ),
        ("text/plain; charset=shift_jis", b"\x93\xfa", "日"),
    ];
    for (content_type, body, expected) in cases {
        assert_eq!(of(content_type, body), expected, "{content_type} {body:?}");
    }
    let damaged = page(answer(200, PLAIN, b"a\xffb"), |_| {});
    assert_eq!(damaged.content, "a\u{fffd}b");
    assert!(damaged.notice.unwrap().contains("Some bytes are no UTF-8 text"));
}

#[test]
fn content_is_what_its_type_says_or_what_it_looks_like() {
    let of = |headers: &[(&str, &str)], body: &[u8]| {
        let found = page(answer(200, headers, body), |_| {});
        (found.media_type, found.encoding, found.content)
    };
    let text = |media_type: &str, content: &str| (media_type.to_owned(), Encoding::Text, content.to_owned());
    assert_eq!(of(&[], b"<!DOCTYPE html><p>x"), text("text/html", "x\n"));
    assert_eq!(of(&[], b"plain"), text("text/plain", "plain"));
    assert_eq!(of(&[("content-type", "nonsense")], b"plain"), text("text/plain", "plain"));
    assert_eq!(of(&[("Content-Type", "Application/XHTML+XML")], b"<p>x</p>"), text("application/xhtml+xml", "x\n"));
    assert_eq!(of(&[("content-type", "application/octet-stream")], b"# a"), text("text/plain", "# a"));
    assert_eq!(of(&[("content-type", "text/plain")], b"<p>x</p>"), text("text/plain", "<p>x</p>"));
    assert_eq!(of(&[("content-type", "image/svg+xml")], b"<svg/>"), text("image/svg+xml", "<svg/>"));
    let base64 = |media_type: &str, content: &str| (media_type.to_owned(), Encoding::Base64, content.to_owned());
    assert_eq!(of(&[("content-type", "image/png")], b"\x89PNG"), base64("image/png", "iVBORw=="));
    assert_eq!(of(&[], b"\0\x01\x02"), base64("application/octet-stream", "AAEC"));
    let large = page(answer(200, &[("content-type", "image/png")], vec![0; 6 << 20]), |_| {});
    assert!(large.content.is_empty() && large.notice.unwrap().contains("6 MiB of image/png, more than 5 MiB"));
    let asked = page(answer(200, &[("content-type", "image/png")], [0; 100]), |request| request.max_chars = Some(10));
    assert!(asked.content.is_empty() && asked.notice.unwrap().contains("more than max_chars"));
}

#[test]
fn content_that_comes_compressed_is_decoded_within_bounds() {
    use std::io::Write as _;
    let zipped = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(b"hello").unwrap();
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(b"hello").unwrap();
    let of = |coding: &str, body: &[u8]| {
        page(answer(200, &[("content-type", "text/plain"), ("content-encoding", coding)], body), |_| {})
    };
    assert_eq!(of("gzip", &zipped(b"hello")).content, "hello");
    assert_eq!(of("identity, GZIP", &zipped(b"hello")).content, "hello");
    assert_eq!(of("gzip, gzip", &zipped(&zipped(b"hello"))).content, "hello");
    assert_eq!(of("deflate", &deflate.finish().unwrap()).content, "hello");
    assert_eq!(of("deflate", &zlib.finish().unwrap()).content, "hello");
    let bomb = of("gzip", &zipped(&vec![b'a'; 64 << 20]));
    assert!(bomb.notice.unwrap().contains("larger than 16 MiB") && bomb.content.len() == 50_000);
    let cut = zipped(b"hello hello hello");
    assert!(of("gzip", &cut[..cut.len() - 6]).notice.unwrap().contains("damaged or cut"));
    let wrong = of("gzip", b"hello");
    assert!(wrong.encoding == Encoding::Base64 && wrong.notice.unwrap().contains("is not the `gzip`"));
    let unknown = of("br", b"hello");
    assert!(unknown.encoding == Encoding::Base64 && unknown.notice.unwrap().contains("cannot decode"));
}

#[test]
fn a_body_that_is_too_long_or_breaks_off_is_given_as_far_as_it_came() {
    let mut long = answer(200, PLAIN, "");
    long.pieces = vec![vec![b'a'; 1 << 20]; 17];
    assert!(page(long, |_| {}).notice.unwrap().contains("larger than 16 MiB: its end is left out"));
    for (end, expected) in [
        (Failure::BodyTooLarge, "larger than this call may read"),
        (Failure::Timeout, "took too long"),
        (Failure::Broken, "the connection broke"),
    ] {
        let mut broken = answer(200, PLAIN, "begin");
        broken.end = Some(end.clone());
        let found = page(broken.clone(), |_| {});
        assert_eq!(found.content, "begin");
        assert!(found.notice.unwrap().contains(expected));
        broken.pieces.clear();
        assert!(call(&request("https://example.com/"), &[broken]).0.is_err(), "nothing came but {end:?}");
    }
}

#[test]
fn pages_fit_together_and_a_change_is_noticed() {
    let whole: String = (0..3_000).map(|line| format!("line {line} ä\n")).collect();
    let of = |max: u32, cursor: Option<String>, body: &str| {
        page(answer(200, PLAIN, body), |request| (request.max_chars, request.cursor) = (Some(max), cursor))
    };
    for max in [1, 2, 7, 1_000, 50_000, 262_144] {
        let source = if max < 10 { "aä\nb\n\nc€d" } else { whole.as_str() };
        let (mut read, mut cursor) = (String::new(), None);
        loop {
            let part = of(max, cursor, source);
            assert!(part.content.chars().count() <= max as usize && !part.content.is_empty());
            assert_eq!(part.notice.is_some(), part.next_cursor.is_some());
            read.push_str(&part.content);
            cursor = part.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(read, source);
    }
    let first = of(1_000, None, &whole);
    assert!(first.content.ends_with('\n') && first.notice.unwrap().contains("next_cursor"));
    let changed = of(1_000, first.next_cursor.clone(), &whole.replace("line 2999", "line x"));
    assert!(changed.notice.unwrap().contains("has changed") && !changed.content.is_empty());
    let gone = of(1_000, first.next_cursor, "short");
    assert!(gone.content.is_empty() && gone.notice.unwrap().contains("ends before this cursor"));
    let default = page(answer(200, PLAIN, "a".repeat(60_000)), |_| {});
    assert_eq!(default.content.len(), 50_000);
    let wide = of(262_144, None, &"€".repeat(200_000));
    assert!(wide.content.len() <= 256 * 1024 && wide.next_cursor.is_some());
}

#[test]
fn headers_that_say_something_are_given_and_credentials_are_not() {
    let headers = [
        ("content-type", "text/plain"),
        ("ETag", "\"a\""),
        ("Set-Cookie", "s=1"),
        ("X-RateLimit-Remaining", "5"),
        ("Retry-After", "7\u{1b}[0m"),
        ("server", "x"),
        ("Link", "</b>; rel=next"),
        ("last-modified", "Tue"),
    ];
    let found = page(answer(429, &headers, "x"), |_| {}).headers;
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["etag", "x-ratelimit-remaining", "retry-after", "link", "last-modified"]);
    assert_eq!(found[2].1, "7[0m");
    let many: Vec<(&str, &str)> = vec![("link", "x"); 500];
    assert_eq!(page(answer(200, &many, "x"), |_| {}).headers.len(), 32);
}

#[test]
fn raw_is_what_came() {
    let source = "<title>T</title>\r\n<p>a&amp;b</p>\u{200b}";
    let found = page(html(source), |request| request.format = Format::Raw);
    assert_eq!((found.content.as_str(), found.title.as_deref(), found.notice), (source, Some("T"), None));
}
