//! Where a response leads, and what the request there takes along.

use crate::host::{HttpRequest, HttpResponse};

/// Redirects that are followed, as in browsers.
pub(crate) const MAX_REDIRECTS: u32 = 20;
/// Headers that cannot be credentials; only these go on to another origin.
const HARMLESS: [&str; 7] =
    ["accept", "accept-language", "cache-control", "content-language", "content-type", "range", "user-agent"];

/// The request that a redirect asks for; `None` if the response is no redirect.
///
/// # Errors
/// A sentence that says why it cannot be followed.
pub(crate) fn next(request: &HttpRequest, response: &HttpResponse) -> Result<Option<HttpRequest>, String> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some((_, location)) = response.headers.iter().find(|(name, _)| name == "location") else { return Ok(None) };
    let mut url = request.url.join(location).map_err(|error| format!("its location is no URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("it leads to a `{}:` address", url.scheme()));
    }
    url.set_fragment(None);
    let mut next = HttpRequest { url, ..request.clone() };
    let becomes_get = match response.status {
        301 | 302 => request.method == "POST",
        303 => request.method != "GET" && request.method != "HEAD",
        _ => false,
    };
    if becomes_get {
        "GET".clone_into(&mut next.method);
        next.body = None;
        next.headers.retain(|(name, _)| !name.starts_with("content-"));
    }
    if next.url.origin() != request.url.origin() {
        if next.body.is_some() {
            return Err(format!(
                "it asks for the body again at {}, another origin",
                next.url.origin().ascii_serialization()
            ));
        }
        next.headers.retain(|(name, _)| HARMLESS.contains(&name.as_str()));
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::next;
    use crate::host::{HttpRequest, HttpResponse};

    fn request(method: &str, body: Option<&str>) -> HttpRequest {
        let headers = [("authorization", "secret"), ("accept", "a/b"), ("content-type", "text/plain")];
        HttpRequest {
            method: method.to_owned(),
            url: url::Url::parse("https://one.example/a").expect("a URL"),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            body: body.map(|body| body.as_bytes().to_vec()),
        }
    }

    fn redirect(status: u16, to: &str) -> HttpResponse {
        HttpResponse { status, headers: vec![("location".to_owned(), to.to_owned())], body: Vec::new() }
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let same = next(&request("GET", None), &redirect(302, "/b")).expect("a redirect").expect("another request");
        assert!(same.headers.iter().any(|(name, _)| name == "authorization"));
        let other = next(&request("GET", None), &redirect(302, "https://two.example/")).expect("a redirect");
        let names: Vec<String> = other.expect("another request").headers.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["accept", "content-type"]);
    }

    #[test]
    fn a_post_becomes_a_get_where_the_status_says_so() {
        for (status, method, becomes) in [
            (301, "POST", "GET"),
            (302, "POST", "GET"),
            (303, "PUT", "GET"),
            (307, "POST", "POST"),
            (308, "PUT", "PUT"),
        ] {
            let made =
                next(&request(method, Some("x")), &redirect(status, "/b")).expect("a redirect").expect("a request");
            assert_eq!((made.method.as_str(), made.body.is_some()), (becomes, becomes != "GET"), "{status}");
        }
    }

    #[test]
    fn a_body_is_not_sent_on_to_another_origin() {
        assert!(next(&request("POST", Some("x")), &redirect(307, "https://two.example/")).is_err());
        assert!(next(&request("GET", None), &redirect(302, "file:///etc/passwd")).is_err());
    }
}
