//! A handler of MCP that does what tests ask it to.

use std::borrow::Cow;
use std::sync::Arc;

use http::request::Parts;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, JsonObject, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig, SubscriptionFilter, Tool,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use tokio::sync::{Notify, mpsc};

/// What happened inside of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Started,
    Stopped,
}

#[derive(Clone)]
pub(crate) struct Handler {
    pub(crate) profile: &'static str,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    /// Lets calls of `wait` end by themselves.
    pub(crate) release: Arc<Notify>,
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build())
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.events.send(Event::Started).unwrap();
        context.cancelled().await;
        self.events.send(Event::Stopped).unwrap();
        Ok(())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tool = |name: &'static str| Tool::new(name, Cow::Borrowed(""), JsonObject::new());
        Ok(ListToolsResult::with_all_items(["profile", "headers", "big", "wait"].map(tool).to_vec()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = match &*request.name {
            "profile" => self.profile.to_owned(),
            "headers" => format!("{:?}", context.extensions.get::<Parts>().unwrap().headers),
            "big" => "x".repeat(1024 * 1024),
            "wait" => {
                self.events.send(Event::Started).unwrap();
                tokio::select! {
                    () = context.ct.cancelled() => {
                        self.events.send(Event::Stopped).unwrap();
                        "stopped".to_owned()
                    }
                    () = self.release.notified() => "released".to_owned(),
                }
            }
            _ => return Err(ErrorData::invalid_params("there is no such tool", None)),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}
