//! The clients that ours stands in for, for the rule `bare-client`: it then knows them by type, under whatever name, in
//! every crate that uses this one.

use ctxprop::__private::BareClient;

use crate::client::Client;

impl BareClient<Client> for reqwest::Client {}
impl BareClient<Client> for reqwest::ClientBuilder {}
