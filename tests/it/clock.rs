//! A clock that goes back an hour, or forward a year: what stays in order, and what expires.

use chrono::TimeDelta;
use entity::token::Role;
use roster::directory::NewToken;
use serde_json::{Value as Json, json};

use crate::support::{Server, Site, me, on_both, user};

/// What a list gives in pages of two.
async fn paged(server: &Server, list: &str, field: &str) -> Vec<Json> {
    let (mut all, mut after) = (Vec::new(), Json::Null);
    loop {
        let query = format!(
            "query($after: String) {{ {list}(first: 2, after: $after) {{
                edges {{ node {{ {field} }} }} pageInfo {{ endCursor hasNextPage }} }} }}"
        );
        let mut page = server.execute(&query, json!({ "after": after }), None).await.json()["data"][list].take();
        all.extend(page["edges"].as_array().unwrap().iter().map(|edge| edge["node"][field].clone()));
        if page["pageInfo"]["hasNextPage"] == false {
            return all;
        }
        after = page["pageInfo"]["endCursor"].take();
    }
}

#[test]
fn the_log_and_its_cursors_go_by_number_when_the_clock_goes_back_or_far_ahead() {
    on_both(async |site: &Site| {
        let server = Server::new(site);
        let mut names = Vec::new();
        let mut moves =
            [TimeDelta::hours(-1), TimeDelta::days(366), TimeDelta::hours(-1), TimeDelta::zero()].into_iter();
        for number in 0..8 {
            let name = format!("User {number}");
            user(site, &name, &format!("user{number}@corp.example"), json!({})).await;
            names.push(json!(name));
            if number % 2 == 1 {
                site.pass(moves.next().unwrap());
            }
        }
        let numbers: Vec<Json> = (1..=9).rev().map(|number| json!(number)).collect();
        assert_eq!(paged(&server, "changesets", "number").await, numbers);
        assert_eq!(paged(&server, "users", "name").await, names);
        for number in 1..=9 {
            let query = "query($version: Int!) { users(asOf: {version: $version}) { totalCount } }";
            let then = server.execute(query, json!({ "version": number }), None).await.json();
            assert_eq!(then["data"]["users"]["totalCount"], number - 1);
        }
        // A process that comes later finds the same.
        let later = site.another_process().await;
        assert_eq!(later.version(), 9);
        assert_eq!(paged(&Server::new(&later), "changesets", "number").await, numbers);
        later.database().clone().close().await.unwrap();
        let times = paged(&server, "changesets", "createdAt").await;
        let mut sorted = times.clone();
        sorted.sort_by(|a, b| b.as_str().cmp(&a.as_str()));
        assert_ne!(times, sorted);
    });
}

#[test]
fn a_token_expires_by_the_clock_however_it_got_there() {
    on_both(async |site: &Site| {
        let expires_at = Some(site.now() + TimeDelta::days(90));
        let new = NewToken { name: "ci".to_owned(), role: Role::Reader, expires_at };
        let (_, secret) = site.create_token(&me(), new).await.unwrap();
        let mut server = Server::with_tokens(site, &[]);
        server.set_token(Some(secret.expose()));
        let mut statuses = Vec::new();
        for time in [TimeDelta::zero(), TimeDelta::hours(-1), TimeDelta::days(366), TimeDelta::days(-366)] {
            site.pass(time);
            statuses.push(server.execute("{ directory { version } }", Json::Null, None).await.status.as_u16());
        }
        assert_eq!(statuses, [200, 200, 401, 200]);
    });
}
