#include "dialect/description/v2_docs.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "base/percent_text.h"
#include "dialect/description/operation_text.h"
#include "dialect/description/page.h"
#include "dialect/description/schema_file.h"
#include "dialect/http_compression.h"
#include "dialect/http_router.h"
#include "dialect/method_check.h"
#include "dialect/version_text.h"

namespace modelmill::description {
namespace {

constexpr std::string_view kPage = "docs", kDocument = "dataplane.json";
constexpr std::string_view kModels = "/v2/models/{model}", kVersions = "/versions/{version}";
/// Elements of an input that an example writes out.
constexpr int64_t kMostShown = 64;

struct Asked {
  std::string model = {}, version = {};  // as the client writes them; empty: the whole protocol, the default version
  bool document = false;
};

/// Nothing: it is another path.
std::optional<Asked> asked_by(std::string_view path) {
  if (!path.ends_with("/docs") && !path.ends_with("/docs/dataplane.json")) return std::nullopt;
  auto parts = split_path(path);
  if (!parts.ok()) return std::nullopt;
  Asked asked;
  if (parts->back() == kDocument) {
    asked.document = true;
    parts->pop_back();
  }
  if (parts->size() < 2 || parts->back() != kPage) return std::nullopt;
  parts->pop_back();
  const std::vector<std::string>& of = *parts;
  if (of.size() == 1) return asked;
  if (of[1] != "models" || (of.size() != 3 && (of.size() != 5 || of[3] != "versions"))) return std::nullopt;
  asked.model = of[2];
  if (of.size() == 5) asked.version = of[4];
  return asked;
}

/// A request's body with zeros; empty where that is long, or no JSON can be sent.
std::string example_of(const std::vector<TensorSpec>& inputs) {
  JsonWriter json;
  json.begin_object().key("inputs").begin_array();
  bool any = false;
  for (const TensorSpec& spec : inputs) {
    if (spec.optional) continue;
    Shape shape = spec.shape;
    for (int64_t& size : shape) size = size < 0 ? 1 : size;
    const auto count = element_count(dims(shape));
    if (!count || *count > kMostShown || spec.dtype == DataType::kFp16 || spec.dtype == DataType::kBf16) return {};
    any = true;
    json.begin_object().field("name", spec.name).field("datatype", dtype_name(spec.dtype)).key("shape").begin_array();
    for (const int64_t size : shape) json.value(size);
    json.end_array().key("data").begin_array();
    for (int64_t i = 0; i < *count; ++i) {
      if (spec.dtype == DataType::kBytes)
        json.value("");
      else if (spec.dtype == DataType::kBool)
        json.value(false);
      else
        json.value(int64_t{0});
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return any ? json.take() : std::string();
}

/// The path of an operation where its model is known; empty: it is not of one, or not of what is asked.
std::string path_for(std::string_view path, const Asked& asked) {
  if (asked.model.empty()) return std::string(path);
  if (!path.starts_with(kModels)) return {};
  std::string_view rest = path.substr(kModels.size());
  const bool of_version = rest.starts_with(kVersions);
  if (of_version == asked.version.empty()) return {};
  std::string out = "/v2/models/" + percent_encode(asked.model);
  if (of_version) {
    rest.remove_prefix(kVersions.size());
    out += "/versions/" + percent_encode(asked.version);
  }
  return out.append(rest);
}

/// `signature` is the model's; null: the whole protocol is described.
std::string document(const Asked& asked, const Signature* signature, const std::string& server_version) {
  const std::string example = signature == nullptr ? std::string() : example_of(signature->inputs);
  JsonWriter json;
  json.begin_object().field("openapi", "3.1.0").key("info").begin_object();
  json.field("title", asked.model.empty() ? std::string("KServe V2") : "KServe V2: " + asked.model);
  json.field("version", server_version);
  json.field("description", signature != nullptr && signature->open
                                ? "The model's own code takes any inputs; what an example shows is what is said of it."
                                : "JSON may be followed by tensors' bytes (Inference-Header-Content-Length).");
  json.end_object().key("paths").begin_object();
  std::string open;
  for (const Operation& operation : operations()) {
    if (!operation.path.starts_with("/v2")) continue;
    const std::string path = path_for(operation.path, asked);
    if (path.empty()) continue;
    if (path != open) {
      if (!open.empty()) json.end_object();
      json.key(path).begin_object();
      open = path;
    }
    const bool infers = path.ends_with("/infer") || path.ends_with("/infer_stream");
    write_operation(json, operation, path, infers ? example : std::string());
  }
  if (!open.empty()) json.end_object();
  json.end_object().key("components").begin_object().key("schemas").raw(schema_file().at(0).text);
  json.end_object().end_object();
  return json.take();
}

}  // namespace

wire::HttpHandler with_v2_docs(wire::HttpHandler v2, const Catalog& catalog, std::string server_version) {
  return [v2 = std::move(v2), &catalog,
          server_version = std::move(server_version)](const std::shared_ptr<wire::HttpExchange>& exchange) {
    const std::optional<Asked> asked = asked_by(exchange->request().path);
    if (!asked) return v2(exchange);
    if (refuse_all_but_get(*exchange)) return;
    VersionPin pin;
    if (!asked->model.empty()) {
      Result<VersionPin> pinned = pin_path_version(catalog, asked->model, asked->version);
      if (!pinned.ok()) return exchange->reply(error_reply(pinned.status()));
      pin = *std::move(pinned);
    }
    static const Page page("docs.html", {"page.css", "docs.css"}, "docs.js");
    wire::HttpReply reply = asked->document
                                ? json_reply(200, document(*asked, pin ? &pin->signature() : nullptr, server_version))
                                : page.reply();
    compress_reply(reply, exchange->request());
    exchange->reply(std::move(reply));
  };
}

}  // namespace modelmill::description
