//! The functions that plugins export: found and type-checked when a plugin is loaded, before any
//! of it runs.

use std::marker::PhantomData;

use overture_plugin_pack::Kind;
use wasmtime::{
    Store,
    component::{
        ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower, types,
    },
};

use crate::{error::LoadError, inspect::WIT_VERSION, state::GuestState};

/// One exported function: its place and its shape.
pub(crate) trait Function {
    /// The interface that it belongs to.
    const KIND: Kind;
    /// Its name there.
    const NAME: &'static str;
    /// What it is given.
    type Params<'a>: ComponentNamedList + Lower + Send + Sync;
    /// What it answers.
    type Answer: ComponentNamedList + Lift + Send + Sync + 'static;
}

/// A function of one loaded plugin.
pub(crate) struct Export<F> {
    index: ComponentExportIndex,
    function: PhantomData<fn() -> F>,
}

impl<F: Function> Export<F> {
    /// Looks the function up and compares its type with what this host expects.
    pub(crate) fn find(plugin: &InstancePre<GuestState>) -> Result<Self, LoadError> {
        let interface = format!("overture:plugin/{}@{WIT_VERSION}", F::KIND);
        let mismatch = |problem: String| LoadError::ExportMismatch {
            interface: interface.clone(),
            host: WIT_VERSION,
            problem,
        };
        let component = plugin.component();
        let instance = component.get_export_index(None, &interface);
        let found = instance.and_then(|i| component.get_export(Some(&i), F::NAME));
        let Some((types::ComponentItem::ComponentFunc(function), index)) = found else {
            return Err(mismatch(format!("it lacks the function `{}`", F::NAME)));
        };
        function
            .typecheck::<F::Params<'_>, F::Answer>(&plugin.instance_type())
            .map_err(|e| {
                mismatch(format!(
                    "the function `{}` has another shape ({e:#})",
                    F::NAME
                ))
            })?;
        Ok(Self {
            index,
            function: PhantomData,
        })
    }

    /// Calls it.
    pub(crate) async fn call(
        &self,
        store: &mut Store<GuestState>,
        instance: &Instance,
        params: F::Params<'_>,
    ) -> wasmtime::Result<F::Answer> {
        let function =
            instance.get_typed_func::<F::Params<'_>, F::Answer>(&mut *store, &self.index)?;
        function.call_async(store, params).await
    }
}
