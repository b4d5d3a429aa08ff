#pragma once

#include <memory>
#include <string>

#include "catalog/model_control.h"
#include "dialect/http_options.h"
#include "grpc_service.pb.h"
#include "wire/grpc.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// POST .../repository/models/MODEL/load, with a JSON object or nothing as its body: "parameters" may have "config" (an
/// inference.ModelConfig as JSON, in a string), "file:PATH" (base64) and, of our own, "path" (a URL) and
/// "allow_breaking". Answers when the model is loaded, or is not. A null `control`: refused.
void handle_http_load(ModelControl* control, std::shared_ptr<wire::HttpExchange> exchange, const std::string& model,
                      const HttpOptions& options);
/// POST .../unload. With the parameter "unload_dependents" the members of an ensemble go with it that are loaded for it
/// alone.
void handle_http_unload(ModelControl* control, std::shared_ptr<wire::HttpExchange> exchange, const std::string& model,
                        const HttpOptions& options);

/// RepositoryModelLoad and RepositoryModelUnload.
void add_loading_methods(wire::GrpcMethods& methods, ModelControl* control);

/// What a load's messages say. INVALID_ARGUMENT names the parameter.
Result<ModelLoad> read_load(const std::string& model, std::string_view json);
Result<ModelLoad> read_load(const inference::RepositoryModelLoadRequest& request);

}  // namespace modelmill::kserve_v2
