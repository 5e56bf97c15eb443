//! Clients that are not reqwest's, and what of reqwest makes none.

use ctxprop::propagate;

use super::root;

mod reqwest_like {
    #[derive(Clone, Debug, Default, PartialEq)]
    pub(super) struct Client(pub(super) u8);

    impl Client {
        pub(super) fn new() -> Client {
            Client(1)
        }
        pub(super) fn builder() -> Client {
            Client(2)
        }
        pub(super) fn get<T: Default>(&self) -> T {
            let Client(_) = self;
            T::default()
        }
    }

    pub(super) mod blocking {
        pub(in super::super) fn get(_: &str) -> u8 {
            3
        }
    }

    pub(super) fn get(_: &str) -> u8 {
        4
    }
}

fn made_by<T>(make: fn() -> T) -> T {
    make()
}

macro_rules! get {
    ($url:expr) => {
        $url.len()
    };
}

#[propagate]
async fn a_type_of_the_same_name() -> [reqwest_like::Client; 3] {
    use reqwest_like::Client;
    [Client::new(), Client::builder(), Client::default()]
}

#[propagate]
async fn an_alias() -> reqwest_like::Client {
    use self::reqwest_like as reqwest;
    assert_eq!(reqwest::get("http://stock") + reqwest::blocking::get("http://stock"), 7);
    reqwest::Client::new()
}

#[propagate]
async fn a_glob() -> u8 {
    use reqwest_like::*;
    get("http://stock") + blocking::get("http://stock")
}

#[propagate]
async fn a_macro() -> usize {
    get!("http://stock")
}

#[propagate]
async fn a_method_and_a_turbofish() -> u8 {
    reqwest_like::Client::builder().get::<u8>()
}

#[propagate]
async fn a_function_as_a_value() -> reqwest_like::Client {
    made_by(reqwest_like::Client::new)
}

/// A client that was made elsewhere, of a request that was made here: nothing of it is a new client.
#[propagate]
async fn what_is_no_client(client: Option<reqwest::Client>) -> bool {
    let url = reqwest::Url::parse("http://stock");
    let method = reqwest::Method::from_bytes(b"GET");
    client.is_none() && url.is_ok() && method.is_ok()
}

#[tokio::test]
async fn none_fires() {
    use reqwest_like::Client;
    let ctx = &root();
    assert_eq!(a_type_of_the_same_name().with(ctx).await, [Client(1), Client(2), Client(0)]);
    assert_eq!(an_alias().with(ctx).await, Client(1));
    assert_eq!(a_glob().with(ctx).await, 7);
    assert_eq!(a_macro().with(ctx).await, 12);
    assert_eq!(a_method_and_a_turbofish().with(ctx).await, 0);
    assert_eq!(a_function_as_a_value().with(ctx).await, Client(1));
    assert!(what_is_no_client(None).with(ctx).await);
}
