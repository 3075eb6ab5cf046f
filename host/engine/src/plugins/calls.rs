//! The registry as the engine calls it. A disabled plugin is called by nobody.

use std::sync::Arc;

use async_trait::async_trait;
use overture_domain::WorkspaceId;
use overture_plugin_host::{
    AccountState, CallError, ClassifyContext, Done, Event, FormatContext, Formatted, Invited, Kind,
    Leg, Message, NetworkAccount, NetworkPage, NetworkProvider, Problem, Profile, Quarantine,
    SendOutcome, SyncPage, Verdict,
    capabilities::mailbox::{MailSession, Outgoing, SubmissionRecord},
};

use super::Registry;
use crate::{
    ClassifierEntry, Classifiers, FormatterEntry, Formatters, MailProviders, NetworkAnswer,
    NetworkProviders, PluginHealth, ProviderPreset, classifiers::DEFAULT_THRESHOLD,
};

impl Registry {
    fn enabled(&self, id: &str) -> Result<(), CallError> {
        match self.is_enabled(id) {
            true => Ok(()),
            false => Err(CallError::UnknownPlugin(id.to_owned())),
        }
    }

    fn network(&self, id: &str) -> Result<NetworkProvider, CallError> {
        self.enabled(id)?;
        self.host.network_provider(id)
    }
}

impl PluginHealth for Registry {
    fn failing(&self) -> Vec<Quarantine> {
        self.host.failing()
    }

    fn unready(&self) -> Option<String> {
        let none = self.of_kind(Kind::MailProvider).is_empty();
        none.then(|| "no plugin that sends mail is loaded and enabled".to_owned())
    }
}

#[async_trait]
impl Formatters for Registry {
    fn list(&self) -> Vec<FormatterEntry> {
        let mut entries: Vec<_> = self
            .of_kind(Kind::Formatter)
            .into_iter()
            .map(|info| FormatterEntry {
                id: info.manifest.id,
                name: info.manifest.name,
                description: info.manifest.description,
                settings: info.manifest.settings,
            })
            .collect();
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        entries
    }

    fn for_url(&self, url: &str) -> Option<String> {
        let fits = self.host.formatter_for_url(url)?;
        self.is_enabled(&fits).then_some(fits)
    }

    async fn format(
        &self,
        ws: WorkspaceId,
        formatter: &str,
        event: &Event,
        context: &FormatContext,
    ) -> Result<Formatted, CallError> {
        self.enabled(formatter)?;
        self.host
            .formatter(formatter)?
            .format(ws, event, context)
            .await
    }
}

#[async_trait]
impl Classifiers for Registry {
    async fn list(&self, _: WorkspaceId) -> Vec<ClassifierEntry> {
        let classifiers = self.of_kind(Kind::Classifier).into_iter();
        classifiers
            .map(|info| ClassifierEntry {
                id: info.manifest.id,
                threshold: DEFAULT_THRESHOLD,
                settings: "{}".to_owned(),
            })
            .collect()
    }

    async fn classify(
        &self,
        ws: WorkspaceId,
        classifier: &str,
        message: &Message,
        context: &ClassifyContext,
    ) -> Result<Vec<Verdict>, CallError> {
        self.enabled(classifier)?;
        self.host
            .classifier(classifier)?
            .classify(ws, message, context)
            .await
    }
}

#[async_trait]
impl MailProviders for Registry {
    async fn presets(&self, ws: WorkspaceId) -> Vec<ProviderPreset> {
        let mut providers: Vec<_> = self
            .of_kind(Kind::MailProvider)
            .into_iter()
            .map(|info| info.manifest.id)
            .collect();
        providers.sort();
        let mut presets = Vec::new();
        for provider in providers {
            let known = match self.host.mail_provider(&provider) {
                Ok(plugin) => plugin.presets(ws).await,
                Err(error) => Err(error),
            };
            match known {
                Ok(known) => presets.extend(known.into_iter().map(|preset| ProviderPreset {
                    provider: provider.clone(),
                    preset,
                })),
                Err(error) => {
                    tracing::warn!(plugin.id = %provider, "the presets of {provider} are left out: {error}");
                }
            }
        }
        presets
    }

    fn has_own_transport(&self, provider: &str) -> Result<bool, CallError> {
        self.enabled(provider)?;
        Ok(self.host.mail_provider(provider)?.has_own_transport())
    }

    async fn check(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
    ) -> Result<Vec<Leg>, CallError> {
        self.enabled(provider)?;
        self.host.mail_provider(provider)?.check(ws, session).await
    }

    async fn send(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
        mail: Outgoing,
    ) -> SendOutcome {
        let plugin = self
            .enabled(provider)
            .and_then(|()| self.host.mail_provider(provider));
        match plugin {
            Ok(plugin) => plugin.send(ws, session, mail).await,
            Err(error) => SendOutcome {
                submission: SubmissionRecord::NotTried,
                answer: Err(error),
            },
        }
    }

    async fn sync(
        &self,
        ws: WorkspaceId,
        provider: &str,
        session: Arc<dyn MailSession>,
        cursor: Option<&str>,
    ) -> Result<Result<SyncPage, Problem>, CallError> {
        self.enabled(provider)?;
        self.host
            .mail_provider(provider)?
            .sync(ws, session, cursor)
            .await
    }
}

#[async_trait]
impl NetworkProviders for Registry {
    async fn check_status(
        &self,
        ws: WorkspaceId,
        provider: &str,
        account: &NetworkAccount,
    ) -> NetworkAnswer<AccountState> {
        let plugin = self.network(provider)?;
        plugin.check_status(ws, account).await
    }

    async fn find_profile(
        &self,
        ws: WorkspaceId,
        provider: &str,
        account: &NetworkAccount,
        url: &str,
    ) -> NetworkAnswer<Profile> {
        let plugin = self.network(provider)?;
        plugin.find_profile(ws, account, url).await
    }

    async fn invite(
        &self,
        ws: WorkspaceId,
        provider: &str,
        account: &NetworkAccount,
        profile: &str,
        note: Option<&str>,
    ) -> NetworkAnswer<Invited> {
        let plugin = self.network(provider)?;
        plugin.invite(ws, account, profile, note).await
    }

    async fn send_message(
        &self,
        ws: WorkspaceId,
        provider: &str,
        account: &NetworkAccount,
        profile: &str,
        text: &str,
    ) -> NetworkAnswer<Done> {
        let plugin = self.network(provider)?;
        plugin.send_message(ws, account, profile, text).await
    }

    async fn sync(
        &self,
        ws: WorkspaceId,
        provider: &str,
        account: &NetworkAccount,
        cursor: Option<&str>,
    ) -> NetworkAnswer<NetworkPage> {
        let plugin = self.network(provider)?;
        plugin.sync(ws, account, cursor).await
    }
}
