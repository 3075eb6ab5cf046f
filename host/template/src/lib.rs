//! Liquid and spintax: parse, check, render.
