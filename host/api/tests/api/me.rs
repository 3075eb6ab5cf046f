//! `/me`

use overture_testkit::on_both;

use crate::kit::Api;

on_both! {
    // API-2: the one answer without an envelope.
    async fn it_says_which_key_and_workspace_this_is(test: TestDatabase) {
        let api = Api::new(test).await;
        let (key, text) = api.make_key(api.ws(), &["prospects:read"], None).await;
        let answer = api.with_key(&text).get("/me").await;
        assert_eq!(answer.body["apiKey"]["id"], key.id.to_string());
        assert_eq!(answer.body["workspace"]["id"], api.ws().to_string());
        assert!(!answer.body.to_string().contains(&text[8..]), "the key itself is shown once only");
        shows!(answer, r#"
            200 {
              "apiKey": {
                "id": "key_1",
                "name": "Tests",
                "scopes": [
                  "prospects:read"
                ]
              },
              "workspace": {
                "id": "wsp_1"
              }
            }
            "#);
    }
}
