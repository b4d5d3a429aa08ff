#pragma once

#include <memory>
#include <span>
#include <string>

#include "catalog/catalog.h"
#include "catalog/model_control.h"
#include "wire/http.h"

namespace modelmill::admin {

/// Answers what is ours alone of the management of models, under /admin/models/MODEL; `path` is what follows /admin:
///   GET                       its versions, default version and labels
///   PUT, DELETE labels/LABEL  {"version": N} or {"version": N, "ahead": true}: what the label stands for
///   PUT, DELETE default       the same for requests that name no version
/// The first two arguments must outlive the wire.
void handle_models(const Catalog& catalog, ModelControl& control, std::shared_ptr<wire::HttpExchange> exchange,
                   std::span<const std::string> path);

}  // namespace modelmill::admin
