#pragma once

#include <string_view>

#include "base/json_text.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::openai {

/// Writes the members of OpenAI's list of models into the object that is open: "object" and "data".
void write_list_members(JsonWriter& json, const ModelTable& table);
/// The same of one model: "id", "object", "created" (when the server began to serve) and "owned_by".
void write_model_members(JsonWriter& json, std::string_view name);

/// The reply to GET models and models/NAME, where NAME may be a route's.
wire::HttpReply list_models(const Catalog& catalog);
wire::HttpReply describe_model(const Inference& inference, std::string_view name);

}  // namespace modelmill::openai
