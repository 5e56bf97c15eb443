//! What can be asked for: whole URLs, and paths below the client's base URL.

use std::error::Error as StdError;
use std::fmt;

use reqwest::Url;
use url::ParseError;

/// What [`Client::get`](crate::Client::get) and its like take: a URL, or a path where the client has a
/// [base URL](crate::ClientBuilder::base_url). It cannot be implemented elsewhere.
///
/// | with the base `http://payments/v1` | goes to |
/// | --- | --- |
/// | `/charge`, `charge` | `http://payments/v1/charge` |
/// | `?page=2` | `http://payments/v1?page=2` |
/// | `//evil.example/charge` | `http://payments/v1//evil.example/charge` |
/// | `http://stock/articles` | `http://stock/articles` |
///
/// A path is appended and not resolved, so it never changes the host. `..` in it is resolved, as in every
/// URL: escape what comes from strangers.
pub trait IntoUrl: sealed::Sealed {}

impl IntoUrl for Url {}
impl IntoUrl for &Url {}
impl IntoUrl for &str {}
impl IntoUrl for String {}
impl IntoUrl for &String {}
impl IntoUrl for http::Uri {}
impl IntoUrl for &http::Uri {}

pub(crate) mod sealed {
    use super::{ParseError, Url, UrlError, absolute, relative};

    pub trait Sealed {
        #[doc(hidden)]
        fn into_url(self, base: Option<&Url>) -> Result<Url, UrlError>;
    }

    impl Sealed for Url {
        fn into_url(self, _: Option<&Url>) -> Result<Url, UrlError> {
            absolute(self)
        }
    }

    impl Sealed for &Url {
        fn into_url(self, _: Option<&Url>) -> Result<Url, UrlError> {
            absolute(self.clone())
        }
    }

    impl Sealed for &str {
        fn into_url(self, base: Option<&Url>) -> Result<Url, UrlError> {
            match (Url::parse(self), base) {
                (Ok(url), _) => absolute(url),
                (Err(ParseError::RelativeUrlWithoutBase), Some(base)) => Ok(relative(base, self)),
                (Err(ParseError::RelativeUrlWithoutBase), None) => Err(UrlError::Relative),
                (Err(error), _) => Err(UrlError::Invalid(error)),
            }
        }
    }

    impl Sealed for String {
        fn into_url(self, base: Option<&Url>) -> Result<Url, UrlError> {
            self.as_str().into_url(base)
        }
    }

    impl Sealed for &String {
        fn into_url(self, base: Option<&Url>) -> Result<Url, UrlError> {
            self.as_str().into_url(base)
        }
    }

    impl Sealed for http::Uri {
        fn into_url(self, base: Option<&Url>) -> Result<Url, UrlError> {
            self.to_string().into_url(base)
        }
    }

    impl Sealed for &http::Uri {
        fn into_url(self, base: Option<&Url>) -> Result<Url, UrlError> {
            self.to_string().into_url(base)
        }
    }
}

fn absolute(url: Url) -> Result<Url, UrlError> {
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(UrlError::Scheme(scheme.to_owned())),
    }
}

/// `base` with `reference` appended: its host is the base's, whatever the reference says.
fn relative(base: &Url, reference: &str) -> Url {
    let (rest, fragment) = match reference.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (reference, None),
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let mut url = base.clone();
    if !path.is_empty() {
        let above = base.path().strip_suffix('/').unwrap_or(base.path());
        let below = path.strip_prefix('/').unwrap_or(path);
        url.set_path(&format!("{above}/{below}"));
    }
    url.set_query(query);
    url.set_fragment(fragment);
    url
}

/// A URL cannot be requested. It says why, and shows no more of the URL than its scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// It is a path, and the client has no [base URL](crate::ClientBuilder::base_url).
    Relative,
    /// Its scheme, this one, is neither `http` nor `https`.
    Scheme(String),
    /// It is not a URL.
    Invalid(ParseError),
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UrlError::Relative => f.write_str(
                "the URL is relative: set `base_url` when the client is built, or give it a scheme and a host",
            ),
            UrlError::Scheme(scheme) => {
                write!(f, "the scheme of a URL is `http` or `https`, not `{scheme}`")
            }
            UrlError::Invalid(_) => f.write_str("the URL is not valid"),
        }
    }
}

impl StdError for UrlError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            UrlError::Invalid(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sealed::Sealed;
    use super::*;

    fn url(given: impl IntoUrl, base: &str) -> String {
        let base = Url::parse(base).unwrap();
        given.into_url(Some(&base)).unwrap().into()
    }

    #[test]
    fn whole_urls_in_all_shapes() {
        let whole = "http://h/x?q#f";
        let base = "http://base/";
        assert_eq!(url(whole, base), whole);
        let owned = whole.to_owned();
        assert_eq!(url(&owned, base), whole);
        assert_eq!(url(owned, base), whole);
        let parsed = Url::parse(whole).unwrap();
        assert_eq!(url(&parsed, base), whole);
        assert_eq!(url(parsed, base), whole);
        let uri: http::Uri = "http://h/x?q".parse().unwrap();
        assert_eq!(url(&uri, base), "http://h/x?q");
        assert_eq!(url(uri, base), "http://h/x?q");
    }

    #[test]
    fn a_path_never_changes_the_host() {
        for (path, expected) in [
            ("", "http://u:p@h/v1"),
            ("/", "http://u:p@h/v1/"),
            ("/x", "http://u:p@h/v1/x"),
            ("x/", "http://u:p@h/v1/x/"),
            ("/x?a=/b#c?d", "http://u:p@h/v1/x?a=/b#c?d"),
            ("?a", "http://u:p@h/v1?a"),
            ("#c", "http://u:p@h/v1#c"),
            ("//evil/x", "http://u:p@h/v1//evil/x"),
            ("///evil/x", "http://u:p@h/v1///evil/x"),
            ("\\\\evil/x", "http://u:p@h/v1///evil/x"),
            ("/\t/evil/x", "http://u:p@h/v1//evil/x"),
            ("@evil/x", "http://u:p@h/v1/@evil/x"),
            (":80/x", "http://u:p@h/v1/:80/x"),
            ("/../x", "http://u:p@h/x"),
            ("/%2e%2e/../../x", "http://u:p@h/x"),
            ("/a b\u{e9}", "http://u:p@h/v1/a%20b%C3%A9"),
            ("/x\r\nhost: evil", "http://u:p@h/v1/xhost:%20evil"),
        ] {
            assert_eq!(url(path, "http://u:p@h/v1?old#old"), path_or(expected, path));
            assert_eq!(url(path, "http://h/").split('/').nth(2), Some("h"), "{path}");
        }
    }

    /// What is said about a path is appended to a base with or without a slash at its end alike.
    fn path_or(expected: &str, path: &str) -> String {
        let with_slash = url(path, "http://u:p@h/v1/");
        if !path.is_empty() && !path.starts_with(['?', '#']) {
            assert_eq!(with_slash, expected);
        }
        expected.to_owned()
    }

    #[test]
    fn what_cannot_be_requested() {
        assert_eq!("/x".into_url(None), Err(UrlError::Relative));
        assert_eq!("".into_url(None), Err(UrlError::Relative));
        for (given, scheme) in
            [("localhost:8080/x", "localhost"), ("FTP://h/", "ftp"), ("data:,x", "data")]
        {
            assert_eq!(given.into_url(None), Err(UrlError::Scheme(scheme.to_owned())));
        }
        for given in ["http://", "http://a b/", "http://[::1/", "http://h:99999/"] {
            let base = Url::parse("http://base/").unwrap();
            let error = given.into_url(Some(&base)).unwrap_err();
            assert!(matches!(error, UrlError::Invalid(_)), "{given}: {error}");
        }
    }
}
