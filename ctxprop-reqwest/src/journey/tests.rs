use super::*;

fn journey(method: Method, url: &str) -> Journey {
    Journey::new(Request::new(method, url.parse().unwrap()))
}

fn to(location: &str) -> HeaderMap {
    HeaderMap::from_iter([(LOCATION, location.parse().unwrap())])
}

/// Follows from one URL to another, with a `referer` set by hand.
fn follow(here: &str, location: &str) -> Journey {
    let mut journey = journey(Method::GET, here);
    let by_hand = HeaderValue::from_static("by hand");
    journey.request.headers_mut().insert(REFERER, by_hand);
    let status = StatusCode::FOUND;
    let policy = Policy::default();
    let followed = journey.redirect(status, &to(location), &policy, &|_, _| true);
    assert!(followed.unwrap(), "{here} {location}");
    journey
}

#[test]
fn no_referer_from_https_to_http() {
    let referer = |here, next| {
        let hop = follow(here, next).hop();
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
        let mut journey = journey(Method::GET, here);
        for name in SENSITIVE.iter().chain(&[HOST]) {
            let secret = HeaderValue::from_static("secret");
            journey.request.headers_mut().insert(name, secret);
        }
        let policy = Policy::default();
        let status = StatusCode::TEMPORARY_REDIRECT;
        let followed = journey.redirect(status, &to(next), &policy, &|_, _| false);
        assert!(followed.unwrap());
        let kept = journey.hop().headers().len();
        assert_eq!(kept, if same { 6 } else { 0 }, "{here} {next}");
    }
}

#[test]
fn fragments_are_inherited_and_users_are_not_believed() {
    let url = |here, next| follow(here, next).hop().url().to_string();
    assert_eq!(url("http://a/x#f", "/y"), "http://a/y#f");
    assert_eq!(url("http://a/x#f", "/y#g"), "http://a/y#g");
    assert_eq!(url("http://a/", "http://ann:secret@b/"), "http://b/");
}

#[test]
fn other_statuses_are_no_redirects() {
    for status in [200, 201, 300, 304, 305, 306, 309, 399, 404] {
        let mut journey = journey(Method::GET, "http://a/");
        let status = StatusCode::from_u16(status).unwrap();
        let policy = Policy::custom(|_| unreachable!());
        let followed = journey.redirect(status, &to("/y"), &policy, &|_, _| true);
        assert!(!followed.unwrap(), "{status}");
    }
}

#[test]
fn a_url_too_long_to_send_is_malformed() {
    let mut journey = journey(Method::GET, "http://a/");
    let long = format!("/{}", "x".repeat(70_000));
    let policy = Policy::custom(|_| unreachable!());
    let followed = journey.redirect(StatusCode::FOUND, &to(&long), &policy, &|_, _| true);
    assert!(!followed.unwrap());
}

#[test]
fn a_hop_has_all_of_the_request() {
    let mut journey = journey(Method::PUT, "http://a/");
    *journey.request.version_mut() = http::Version::HTTP_2;
    *journey.request.timeout_mut() = Some(std::time::Duration::from_secs(7));
    *journey.request.body_mut() = Some(reqwest::Body::wrap("a stream".to_owned()));
    journey.request.headers_mut().insert(HOST, HeaderValue::from_static("b"));
    let hop = journey.hop();
    assert_eq!((hop.method(), hop.url().as_str()), (&Method::PUT, "http://a/"));
    assert_eq!(hop.version(), http::Version::HTTP_2);
    assert_eq!(hop.timeout(), Some(&std::time::Duration::from_secs(7)));
    assert!(hop.body().is_some() && hop.headers().contains_key(HOST));
    assert!(journey.body_is_gone && journey.hop().body().is_none());
}
