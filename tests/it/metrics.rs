//! What whoever watches the server is told.

use axum::body::Body;
use http::Request;
use roster::access::Role;

use crate::integration_run::{connect, connecting, run};
use crate::support::{Server, Site, Tool, on_each, tool_user, unit};

/// The lines of the metrics that are of the directory.
async fn told(server: &Server) -> Vec<String> {
    let reply = server.send(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let lines = reply.body.lines().filter(|line| {
        ["roster_ready", "roster_directory", "roster_users", "roster_org", "roster_integration"]
            .iter()
            .any(|name| line.starts_with(name))
    });
    lines.map(str::to_owned).collect()
}

#[test]
fn the_metrics_say_how_the_directory_and_its_integrations_are() {
    on_each(async |site: &Site| {
        let tool =
            Tool::new((1..=3).map(|id| tool_user(id, &format!("u{id}"), &format!("u{id}@corp.example"))).collect());
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        unit(site, "All", None, None).await;
        let name = directory.index().integration(of).unwrap().name.clone();
        let server = Server::signed_in(&directory, &[], Role::Resolver);
        let before = [
            "roster_ready 1.0".to_owned(),
            format!("roster_directory_version {}.0", site.version()),
            "roster_users 0.0".to_owned(),
            "roster_org_units 1.0".to_owned(),
            format!("roster_integration_accounts{{integration=\"{name}\"}} 0.0"),
            format!("roster_integration_failures{{integration=\"{name}\"}} 0.0"),
        ];
        assert_eq!(told(&server).await, before);

        let done = run(&directory, of, None).await;
        let succeeded = done.row.updated_at.timestamp();

        let after = told(&server).await;
        assert_eq!(after[2], "roster_users 3.0");
        assert_eq!(after[4], format!("roster_integration_accounts{{integration=\"{name}\"}} 3.0"));
        let last = format!("roster_integration_last_success_timestamp_seconds{{integration=\"{name}\"}} {succeeded}.0");
        assert_eq!(after[6..], [last]);
    });
}
