//! What wit-bindgen makes of the WIT package. The modules beside this one say it in fewer words.

#![allow(missing_docs, clippy::all)]

/// Everything that a host offers, generated once, so that the kinds share their types.
pub mod imports {
    wit_bindgen::generate!({
        path: "../../wit/next",
        inline: "
            package overture:sdk;
            world imports {
                import overture:plugin/types@0.1.0;
                import overture:plugin/log@0.1.0;
                import overture:plugin/clock@0.1.0;
                import overture:plugin/random@0.1.0;
                import overture:plugin/store@0.1.0;
                import overture:plugin/http@0.1.0;
                import overture:plugin/mailbox@0.1.0;
            }
        ",
        world: "overture:sdk/imports",
        runtime_path: "::overture_plugin::wit_bindgen::rt",
        additional_derives: [PartialEq],
        generate_all,
        generate_unused_types: true,
        disable_custom_section_link_helpers: true,
    });
}

pub mod formatter {
    wit_bindgen::generate!({
        path: "../../wit/next",
        world: "overture:plugin/formatter-plugin",
        pub_export_macro: true,
        export_macro_name: "export_formatter",
        default_bindings_module: "::overture_plugin::bindings::formatter",
        runtime_path: "::overture_plugin::wit_bindgen::rt",
        additional_derives: [PartialEq],
        disable_custom_section_link_helpers: true,
        with: {
            "overture:plugin/types@0.1.0": crate::bindings::imports::overture::plugin::types,
            "overture:plugin/log@0.1.0": crate::bindings::imports::overture::plugin::log,
        },
    });
}

pub mod classifier {
    wit_bindgen::generate!({
        path: "../../wit/next",
        world: "overture:plugin/classifier-plugin",
        pub_export_macro: true,
        export_macro_name: "export_classifier",
        default_bindings_module: "::overture_plugin::bindings::classifier",
        runtime_path: "::overture_plugin::wit_bindgen::rt",
        additional_derives: [PartialEq],
        disable_custom_section_link_helpers: true,
        with: {
            "overture:plugin/types@0.1.0": crate::bindings::imports::overture::plugin::types,
            "overture:plugin/log@0.1.0": crate::bindings::imports::overture::plugin::log,
        },
    });
}

pub mod mail_provider {
    wit_bindgen::generate!({
        path: "../../wit/next",
        world: "overture:plugin/mail-provider-plugin",
        pub_export_macro: true,
        export_macro_name: "export_mail_provider",
        default_bindings_module: "::overture_plugin::bindings::mail_provider",
        runtime_path: "::overture_plugin::wit_bindgen::rt",
        additional_derives: [PartialEq],
        disable_custom_section_link_helpers: true,
        with: {
            "overture:plugin/types@0.1.0": crate::bindings::imports::overture::plugin::types,
            "overture:plugin/log@0.1.0": crate::bindings::imports::overture::plugin::log,
            "overture:plugin/clock@0.1.0": crate::bindings::imports::overture::plugin::clock,
            "overture:plugin/random@0.1.0": crate::bindings::imports::overture::plugin::random,
            "overture:plugin/store@0.1.0": crate::bindings::imports::overture::plugin::store,
            "overture:plugin/http@0.1.0": crate::bindings::imports::overture::plugin::http,
            "overture:plugin/mailbox@0.1.0": crate::bindings::imports::overture::plugin::mailbox,
        },
    });
}

pub mod network_provider {
    wit_bindgen::generate!({
        path: "../../wit/next",
        world: "overture:plugin/network-provider-plugin",
        pub_export_macro: true,
        export_macro_name: "export_network_provider",
        default_bindings_module: "::overture_plugin::bindings::network_provider",
        runtime_path: "::overture_plugin::wit_bindgen::rt",
        additional_derives: [PartialEq],
        disable_custom_section_link_helpers: true,
        with: {
            "overture:plugin/types@0.1.0": crate::bindings::imports::overture::plugin::types,
            "overture:plugin/log@0.1.0": crate::bindings::imports::overture::plugin::log,
            "overture:plugin/clock@0.1.0": crate::bindings::imports::overture::plugin::clock,
            "overture:plugin/random@0.1.0": crate::bindings::imports::overture::plugin::random,
            "overture:plugin/store@0.1.0": crate::bindings::imports::overture::plugin::store,
            "overture:plugin/http@0.1.0": crate::bindings::imports::overture::plugin::http,
        },
    });
}
