//! From text to tree, as a browser does it, within bounds.
//!
//! The rules of HTML take time for every tag in proportion to how deep it is nested, and can make many elements out of one tag; so
//! depth, tags, elements and attributes are bounded, and what a page costs is at most in proportion to its length.

use html5ever::interface::TreeSink as _;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{Doctype, Tag, TagKind, Token, TokenSink as _, TokenSinkResult};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts};
use html5ever::{Attribute, LocalName, QualName, ns};
use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, ForwardingEmitter, Span, State, Tokenizer};

use super::sink::{Handle, Sink};
use super::tree::{KEPT, Tree};

/// How deep elements are nested; what is deeper becomes a sibling. Browsers have 512, and real pages rarely 50.
const MAX_DEPTH: u32 = 128;
/// Tags, and nodes of the tree. The longest page in use, the HTML standard on one page, has about 600,000 nodes.
const MAX_TAGS: u32 = 1_000_000;
/// Bytes of an attribute's value; a longer one (a picture as a data URL, mostly) counts as empty.
const MAX_VALUE: usize = 8 * 1024;
/// Bytes of a tag's name.
const MAX_NAME: usize = 64;

/// What became of a page.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) tree: Tree,
    /// The page was too large, and its end is left out.
    pub(crate) cut: bool,
}

/// Parses a document.
pub(crate) fn parse(text: &str) -> Parsed {
    let options = TreeBuilderOpts { drop_doctype: true, ..TreeBuilderOpts::default() };
    let mut feed =
        Feed { builder: TreeBuilder::new(Sink::new(), options), start: None, wanted: false, state: None, tags: 0 };
    // The one thing that comes out is the wish to stop.
    let tokens = Tokens { inner: CallbackEmitter::new(Borrowed(&mut feed)) };
    let cut = Tokenizer::new_with_emitter(text, tokens).next().is_some();
    let _ = feed.builder.process_token(Token::EOFToken, LINE);
    feed.builder.end();
    Parsed { tree: feed.builder.sink.finish(), cut }
}

/// Nobody asks in which line something was.
const LINE: u64 = 1;

/// Says that enough was read.
#[derive(Debug)]
struct Stop;

/// What takes the tokenizer's events and feeds the tree builder.
struct Feed {
    builder: TreeBuilder<Handle, Sink>,
    /// The start tag that is being read, and whether its attribute is wanted.
    start: Option<Tag>,
    wanted: bool,
    /// How the tokenizer is to go on after the tag.
    state: Option<State>,
    tags: u32,
}

impl Feed {
    fn token(&mut self, token: Token) {
        self.state = match self.builder.process_token(token, LINE) {
            TokenSinkResult::Continue | TokenSinkResult::EncodingIndicator(_) => None,
            TokenSinkResult::Script(_) => Some(State::Data),
            TokenSinkResult::Plaintext => Some(State::PlainText),
            TokenSinkResult::RawData(RawKind::Rcdata) => Some(State::RcData),
            TokenSinkResult::RawData(RawKind::Rawtext) => Some(State::RawText),
            TokenSinkResult::RawData(RawKind::ScriptData | RawKind::ScriptDataEscaped(_)) => Some(State::ScriptData),
        };
    }

    fn attribute(&mut self, name: &[u8]) {
        let Some(tag) = &mut self.start else { return };
        let known = std::str::from_utf8(name).ok().filter(|name| KEPT.binary_search(name).is_ok());
        self.wanted = known.is_some_and(|name| !tag.attrs.iter().any(|before| &*before.name.local == name));
        if let Some(name) = known.filter(|_| self.wanted) {
            let name = QualName::new(None, ns!(), LocalName::from(name));
            tag.attrs.push(Attribute { name, value: StrTendril::new() });
        }
    }

    fn value(&mut self, value: &[u8]) {
        if self.wanted
            && value.len() <= MAX_VALUE
            && let Some(attribute) = self.start.as_mut().and_then(|tag| tag.attrs.last_mut())
        {
            attribute.value.push_slice(&String::from_utf8_lossy(value));
        }
    }

    fn start_tag(&mut self, self_closing: bool) {
        let Some(mut tag) = self.start.take() else { return };
        tag.self_closing = self_closing;
        let name = tag.name.clone();
        let nodes = self.builder.sink.len();
        self.token(Token::TagToken(tag));
        let too_deep = self.builder.sink.len() > nodes && self.builder.sink.last_depth() >= MAX_DEPTH;
        if too_deep && self.state.is_none() && !VOID.contains(&&*name) {
            self.token(Token::TagToken(tag_of(TagKind::EndTag, name)));
        }
    }

    fn doctype(&mut self, name: &[u8], quirks: bool) {
        let name = Some(String::from_utf8_lossy(name)).filter(|name| !name.is_empty());
        let name = name.map(|name| StrTendril::from_slice(&name));
        self.token(Token::DoctypeToken(Doctype { name, force_quirks: quirks, ..Doctype::default() }));
    }

    fn event(&mut self, event: &CallbackEvent<'_>) -> Option<Stop> {
        match *event {
            CallbackEvent::OpenStartTag { name } => self.start = Some(tag_of(TagKind::StartTag, local(name))),
            CallbackEvent::AttributeName { name } => self.attribute(name),
            CallbackEvent::AttributeValue { value } => self.value(value),
            CallbackEvent::CloseStartTag { self_closing } => self.start_tag(self_closing),
            CallbackEvent::EndTag { name } => self.token(Token::TagToken(tag_of(TagKind::EndTag, local(name)))),
            CallbackEvent::String { value } => {
                let text: String = String::from_utf8_lossy(value).split('\0').collect();
                self.token(Token::CharacterTokens(StrTendril::from(text)));
                return None;
            }
            CallbackEvent::Doctype { name, force_quirks, .. } => self.doctype(name, force_quirks),
            CallbackEvent::Comment { .. } | CallbackEvent::Error(_) => return None,
        }
        if matches!(event, CallbackEvent::CloseStartTag { .. } | CallbackEvent::EndTag { .. }) {
            self.tags += 1;
        }
        (self.tags > MAX_TAGS || self.builder.sink.len() > MAX_TAGS as usize).then_some(Stop)
    }
}

/// Elements that hold nothing, and so are never too deep.
const VOID: [&str; 14] =
    ["area", "base", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "param", "source", "wbr"];

fn tag_of(kind: TagKind, name: LocalName) -> Tag {
    Tag { kind, name, self_closing: false, attrs: Vec::new(), had_duplicate_attributes: false }
}

fn local(name: &[u8]) -> LocalName {
    LocalName::from(&*String::from_utf8_lossy(name.get(..MAX_NAME).unwrap_or(name)))
}

struct Borrowed<'a>(&'a mut Feed);

impl Callback<Stop, ()> for Borrowed<'_> {
    fn handle_event(&mut self, event: CallbackEvent<'_>, _: Span<()>) -> Option<Stop> {
        self.0.event(&event)
    }
}

/// The emitter that the tokenizer drives: what the tree builder says decides how text after a tag is read.
struct Tokens<'a> {
    inner: CallbackEmitter<Borrowed<'a>, Stop>,
}

impl ForwardingEmitter for Tokens<'_> {
    type Token = Stop;

    fn inner(&mut self) -> &mut impl Emitter<Token = Stop> {
        &mut self.inner
    }

    fn should_emit_errors(&mut self) -> bool {
        false
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        let _ = self.inner.emit_current_tag();
        self.inner.callback_mut().0.state.take()
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        self.inner.callback_mut().0.builder.adjusted_current_node_present_but_not_in_html_namespace()
    }
}
