use super::*;

fn request(method: Method, url: &str) -> Request {
    Request::new(method, url.parse().unwrap())
}

/// What answers where nothing needs its URL.
fn answered() -> Url {
    "http://nobody.asked/".parse().unwrap()
}

fn to(location: &str) -> HeaderMap {
    HeaderMap::from_iter([(LOCATION, location.parse().unwrap())])
}

/// Follows from one URL to another, with a `referer` set by hand.
fn follow(here: &str, location: &str) -> Request {
    let mut request = request(Method::GET, here);
    request.headers_mut().insert(REFERER, HeaderValue::from_static("by hand"));
    let mut journey = Journey::begin(&mut request, false);
    let (status, policy) = (StatusCode::FOUND, Policy::default());
    let next = journey.redirect(&answered(), status, &to(location), &policy, &|_, _| true);
    next.unwrap().unwrap_or_else(|| panic!("{here} {location}"))
}

#[test]
fn no_referer_from_https_to_http() {
    let referer = |here, next| {
        let hop = follow(here, next);
        let value = hop.headers().get(REFERER).cloned();
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    let https = "https://a.example/x?q#f";
    let said = Some("https://a.example/x?q".to_owned());
    assert_eq!(referer(https, "/y"), said);
    assert_eq!(referer(https, "https://b.example/"), said);
    assert_eq!(referer(https, "http://a.example/"), None);
    let said = Some("http://a.example/".to_owned());
    assert_eq!(referer("http://a.example/", "https://b.example/"), said);
}

#[test]
fn what_is_another_origin() {
    for (here, next, same) in [
        ("http://a.example/x", "/y", true),
        ("http://a.example/x", "http://A.example:80/y", true),
        ("https://a.example/x", "https://a.example:443/y", true),
        ("http://a.example/x", "http://a.example:81/y", false),
        ("http://a.example/x", "http://a.example./y", false),
        ("http://a.example/x", "http://b.a.example/y", false),
        ("http://a.example:8443/x", "https://a.example:8443/y", false),
        ("https://a.example:8443/x", "http://a.example:8443/y", false),
        ("http://127.0.0.1/x", "http://0x7f.1/y", true),
    ] {
        let mut request = request(Method::GET, here);
        for name in SENSITIVE.iter().chain(&[HOST]) {
            request.headers_mut().insert(name, HeaderValue::from_static("secret"));
        }
        let mut journey = Journey::begin(&mut request, true);
        let (status, policy) = (StatusCode::TEMPORARY_REDIRECT, Policy::default());
        let next_hop = journey.redirect(&answered(), status, &to(next), &policy, &|_, _| false);
        let kept = next_hop.unwrap().unwrap().headers().len();
        assert_eq!(kept, if same { 6 } else { 0 }, "{here} {next}");
    }
}

#[test]
fn fragments_are_inherited_and_users_are_not_believed() {
    let url = |here, next| follow(here, next).url().to_string();
    assert_eq!(url("http://a/x#f", "/y"), "http://a/y#f");
    assert_eq!(url("http://a/x#f", "/y#g"), "http://a/y#g");
    assert_eq!(url("http://a/", "http://ann:secret@b/"), "http://b/");
}

#[test]
fn other_statuses_are_no_redirects() {
    for status in [200, 201, 300, 304, 305, 306, 309, 399, 404] {
        let mut journey = Journey::begin(&mut request(Method::GET, "http://a/"), false);
        let status = StatusCode::from_u16(status).unwrap();
        let policy = Policy::custom(|_| unreachable!());
        let next = journey.redirect(&answered(), status, &to("/y"), &policy, &|_, _| true);
        assert!(next.unwrap().is_none(), "{status}");
    }
}

#[test]
fn a_url_too_long_to_send_is_malformed() {
    let mut journey = Journey::begin(&mut request(Method::GET, "http://a/"), false);
    let long = to(&format!("/{}", "x".repeat(70_000)));
    let policy = Policy::custom(|_| unreachable!());
    let next = journey.redirect(&answered(), StatusCode::FOUND, &long, &policy, &|_, _| true);
    assert!(next.unwrap().is_none());
}

#[test]
fn a_hop_has_all_of_the_request() {
    let mut hop = request(Method::PUT, "http://a/");
    *hop.version_mut() = Version::HTTP_2;
    *hop.timeout_mut() = Some(std::time::Duration::from_secs(7));
    *hop.body_mut() = Some(reqwest::Body::wrap("a stream".to_owned()));
    hop.headers_mut().insert(HOST, HeaderValue::from_static("b"));
    let mut journey = Journey::begin(&mut hop, true);
    assert_eq!((hop.method(), hop.url().as_str()), (&Method::PUT, "http://a/"));
    assert_eq!(hop.version(), Version::HTTP_2);
    assert_eq!(hop.timeout(), Some(&std::time::Duration::from_secs(7)));
    assert!(hop.body().is_some() && hop.headers().contains_key(HOST));
    let Kept::Whole(kept) = &mut journey.kept else { panic!("{journey:?}") };
    assert!(journey.body_is_gone && kept.body().is_none());
}

#[test]
fn of_a_bare_request_the_answer_tells_the_url() {
    let mut bare = request(Method::HEAD, "http://a/x");
    *bare.version_mut() = Version::HTTP_2;
    let here = bare.url().clone();
    let mut journey = Journey::begin(&mut bare, true);
    assert_eq!(journey.url(&here).as_str(), "http://a/x");
    let (status, policy) = (StatusCode::SEE_OTHER, Policy::default());
    let next = journey.redirect(&here, status, &to("/y"), &policy, &|_, _| true);
    let next = next.unwrap().unwrap();
    assert_eq!((next.method(), next.url().as_str()), (&Method::HEAD, "http://a/y"));
    assert_eq!(next.version(), Version::HTTP_2);
    assert_eq!(next.headers()[REFERER], "http://a/x");
    assert_eq!(journey.from(), Some(&here));
    // From here on it is kept: whoever answers says what it likes.
    assert_eq!(journey.url(&answered()), next.url());
}

#[test]
fn what_no_answer_tells_is_kept() {
    for url in ["http://a/x#f", "http://ann:secret@a/x"] {
        let mut hop = request(Method::GET, url);
        let journey = Journey::begin(&mut hop, true);
        assert_eq!((journey.url(&answered()), hop.url().as_str()), (hop.url(), url));
    }
}
