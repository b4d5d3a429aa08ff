#include "cli/model_info.h"

#include <simdjson.h>

#include "base/percent_text.h"
#include "cli/json_fields.h"

namespace modelmill {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;

Status not_understood(const std::string& what) {
  return internal("the server's " + what + " is not what KServe V2 describes; is it another kind of server?");
}

Result<element> parse(simdjson::dom::parser& parser, const std::string& text, const std::string& what) {
  element document;
  if (parser.parse(text).get(document)) return not_understood(what);
  return document;
}

bool read_tensors(const element& metadata, const char* name, std::vector<TensorSpec>& into) {
  array tensors;
  if (metadata[name].get(tensors)) return false;
  for (const element tensor : tensors) {
    TensorSpec spec;
    spec.name = text_of(tensor, "name");
    const auto dtype = parse_dtype(text_of(tensor, "datatype"));
    array shape;
    if (!dtype || tensor["shape"].get(shape)) return false;
    spec.dtype = *dtype;
    for (const element size : shape) {
      int64_t dimension = 0;
      // Triton writes numbers; some servers of the protocol write them as text.
      std::string_view digits;
      if (!size.get(digits)) {
        dimension = std::atoll(std::string(digits).c_str());
      } else if (size.get(dimension)) {
        return false;
      }
      spec.shape.push_back(dimension);
    }
    into.push_back(std::move(spec));
  }
  return true;
}

}  // namespace

std::string model_path(std::string_view prefix, std::string_view model, std::string_view version) {
  std::string path = std::string(prefix) + "/" + percent_encode(model);
  if (!version.empty() && version != "0") path += "/versions/" + percent_encode(version);
  return path;
}

Result<std::vector<IndexEntry>> read_index(ServerLink& link) {
  MM_ASSIGN_OR_RETURN(const std::string text, body_of(link.call("POST", "/v2/repository/index", {}, "{}")));
  simdjson::dom::parser parser;
  MM_ASSIGN_OR_RETURN(const element document, parse(parser, text, "model list"));
  array models;
  if (document.get(models)) return not_understood("model list");
  std::vector<IndexEntry> entries;
  for (const element model : models) {
    entries.push_back(
        {text_of(model, "name"), text_of(model, "version"), text_of(model, "state"), text_of(model, "reason")});
  }
  return entries;
}

Result<ModelInfo> read_metadata(ServerLink& link, const std::string& model, const std::string& version) {
  MM_ASSIGN_OR_RETURN(const std::string text,
                      body_of(link.call("GET", model_path("/v2/models", model, version), {}, {})));
  simdjson::dom::parser parser;
  MM_ASSIGN_OR_RETURN(const element document, parse(parser, text, "description of model '" + model + "'"));
  ModelInfo info;
  info.name = text_of(document, "name");
  info.platform = text_of(document, "platform");
  array versions;
  if (!document["versions"].get(versions)) {
    for (const element one : versions) {
      std::string_view name;
      if (!one.get(name)) info.versions.emplace_back(name);
    }
  }
  if (!read_tensors(document, "inputs", info.signature.inputs) ||
      !read_tensors(document, "outputs", info.signature.outputs)) {
    return not_understood("description of model '" + model + "'");
  }
  return info;
}

Result<ModelInfo> read_model(ServerLink& link, const std::string& model, const std::string& version) {
  MM_ASSIGN_OR_RETURN(ModelInfo info, read_metadata(link, model, version));
  const auto text = body_of(link.call("GET", model_path("/v2/models", model, version) + "/config", {}, {}));
  if (!text.ok()) return info;  // an optional extension of the protocol
  simdjson::dom::parser parser;
  MM_ASSIGN_OR_RETURN(const element document, parse(parser, *text, "configuration of model '" + model + "'"));
  info.max_batch_size = number_of<int64_t>(document, "max_batch_size");
  array groups;
  if (!document["instance_group"].get(groups)) {
    for (const element group : groups) info.instances += number_of<int64_t>(group, "count");
  }
  element parameters;
  element reason;
  if (!document["parameters"].get(parameters) && !parameters["unbatched_reason"].get(reason)) {
    info.unbatched_reason = text_of(reason, "string_value");
  }
  return info;
}

ExplainedInfo read_explained(ServerLink& link, const std::string& model, const std::string& version) {
  const auto text = body_of(link.call("GET", model_path("/explain", model, version), {}, {}));
  simdjson::dom::parser parser;
  element document;
  if (!text.ok() || parser.parse(*text).get(document)) return {};
  ExplainedInfo out{text_of(document, "summary"), text_of(document, "signature"), {}};
  for (const element& entry : list_of(document, "signatures")) {
    SignatureInfo info;
    info.name = text_of(entry, "name");
    if (!read_tensors(entry, "inputs", info.signature.inputs) ||
        !read_tensors(entry, "outputs", info.signature.outputs))
      continue;
    element batching, instances;
    if (!entry["batching"].get(batching)) {
      info.max_rows = number_of<int64_t>(batching, "max_rows");
      info.unbatched_reason = text_of(batching, "unbatched_reason");
    }
    if (!entry["instances"].get(instances)) info.instances = number_of<int64_t>(instances, "count");
    info.learned = text_of(entry, "summary");
    out.other_signatures.push_back(std::move(info));
  }
  return out;
}

}  // namespace modelmill
