#pragma once

#include "catalog/catalog.h"
#include "catalog/model_control.h"
#include "dialect/http_router.h"

namespace modelmill::admin {

/// Adds what is ours alone of the management of models, under /admin/models/MODEL:
///   GET                       its versions, default version and labels
///   PUT, DELETE labels/LABEL  {"version": N} or {"version": N, "ahead": true}: what the label stands for
///   PUT, DELETE default       the same for requests that name no version
/// Both arguments must outlive the wire.
void add_models(HttpRouter& router, const Catalog& catalog, ModelControl& control);

}  // namespace modelmill::admin
