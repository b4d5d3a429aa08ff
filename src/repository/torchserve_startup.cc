#include <simdjson.h>
#include <strings.h>

#include <algorithm>
#include <regex>
#include <string>
#include <vector>

#include "base/json_text.h"
#include "repository/torchserve_properties.h"

namespace modelmill {
namespace {

const std::string* find(const Properties& properties, std::string_view key) {
  const auto found = properties.find(key);
  return found == properties.end() || found->second.empty() ? nullptr : &found->second;
}

bool is_word(const std::string& text, const char* word) { return strcasecmp(text.c_str(), word) == 0; }

/// What models={...} says, or a snapshot, which has the same inside.
struct Said {
  std::string models;                 // JSON
  std::vector<std::string> archives;  // NAME=FILE
};

Result<Said> read_models(const std::string& key, const std::string& text, bool snapshot) {
  simdjson::dom::parser parser;
  simdjson::dom::object models;
  auto document = parser.parse(text);
  if (snapshot ? document["models"].get(models) : document.get(models))
    return invalid_argument("'" + key + "' is no JSON of models: {\"NAME\": {\"VERSION\": {\"minWorkers\": 1}}}");
  Said out;
  for (const auto& [name, versions] : models) {
    simdjson::dom::object of_name;
    if (versions.get(of_name))
      return invalid_argument("'" + key + "': model '" + std::string(name) + "' must be an object of its versions");
    for (const auto& [version, settings] : of_name) {
      const std::string where =
          "'" + key + "': version '" + std::string(version) + "' of model '" + std::string(name) + "' ";
      std::string_view file;
      if (!settings.is_object()) return invalid_argument(where + "must be an object such as {\"minWorkers\": 1}");
      if (settings["marName"].get(file) == simdjson::SUCCESS)
        out.archives.push_back(std::string(name) + "=" + std::string(file));
      else if (snapshot)
        return invalid_argument(where + "has no 'marName', the file of its archive");
    }
  }
  // What came from elsewhere is noted beside, where TorchServe doesn't look.
  simdjson::dom::array urls;
  if (snapshot && document["urls"].get(urls) == simdjson::SUCCESS)
    for (const auto& entry : urls)
      if (std::string_view text; entry.get(text) == simdjson::SUCCESS) out.archives.emplace_back(text);
  out.models = simdjson::minify(models);
  return out;
}

/// "URL" or "NAME=URL".
Status check_url(const std::string& text, const std::string& url, const std::string* allowed) {
  if (url.starts_with("file:"))
    return invalid_argument("'" + text + "' is to be loaded from a file:// URL; name it as a PATH on the command line");
  MM_ASSIGN_OR_RETURN(const bool permitted, is_allowed_url(url, allowed));
  if (permitted) return ok_status();
  return invalid_argument("'load_models' names '" + url + "', which no expression of 'allowed_urls' allows");
}

/// "FILE" or "NAME=FILE", in the store, or the same of a URL.
Result<std::string> path_of(const std::string& text, const std::string& store, const std::string* allowed) {
  if (is_url_entry(text)) {
    MM_RETURN_IF_ERROR(check_url(text, url_of_entry(text), allowed));
    return text;
  }
  const size_t equals = text.find('=');
  const bool named = equals != std::string::npos;
  const std::string name = named ? text.substr(0, equals) + "=" : "";
  const std::string file = named ? text.substr(equals + 1) : text;
  if (store.empty()) return invalid_argument("'" + file + "' is to be loaded, and 'model_store' is not given");
  if (file.empty() || file == ".." || file.find('/') != std::string::npos)
    return invalid_argument("'" + file + "' is to be loaded, which is no name of a file in 'model_store'");
  return name + store + (store.ends_with('/') ? "" : "/") + file;
}

Result<std::vector<std::string>> paths_of(const std::vector<std::string>& names, const std::string& store,
                                          const std::string* allowed) {
  std::vector<std::string> paths;
  if (names.size() == 1 && is_word(names[0], "all")) {
    if (store.empty()) return invalid_argument("'load_models' is 'all', and 'model_store' is not given");
    return std::vector<std::string>{store};
  }
  for (const std::string& name : names) {
    MM_ASSIGN_OR_RETURN(paths.emplace_back(), path_of(name, store, allowed));
  }
  return paths;
}

Status put_number(const Properties& properties, const char* key, const char* as, JsonWriter& json) {
  const std::string* const value = find(properties, key);
  if (value == nullptr) return ok_status();
  const auto number = digits_number(*value);
  if (!number)
    return invalid_argument("'" + std::string(key) + "' must be a whole number from 0 on, not '" + *value + "'");
  if (*number > 0) json.field(as, *number);
  return ok_status();
}

}  // namespace

Result<bool> is_allowed_url(const std::string& url, const std::string* allowed_urls) {
  if (allowed_urls == nullptr) return true;
  for (const std::string& expression : comma_list(*allowed_urls)) {
    try {
      if (std::regex_match(url, std::regex(expression))) return true;
    } catch (const std::regex_error& error) {
      return invalid_argument("'allowed_urls' has '" + expression + "', which is no expression: " + error.what());
    }
  }
  return false;
}

std::string url_of_entry(const std::string& entry) {
  const size_t equals = entry.find('=');
  // A URL's query may have one too.
  return equals != std::string::npos && equals < entry.find("://") ? entry.substr(equals + 1) : entry;
}

bool is_url_entry(const std::string& entry) { return entry.find("://") != std::string::npos; }

Result<TorchserveStartup> torchserve_startup(const Properties& properties) {
  TorchserveStartup out;
  if (const std::string* const store = find(properties, "model_store")) out.store = *store;
  const std::string* const workflows = find(properties, "workflow_store");
  out.workflow_store = workflows != nullptr ? *workflows : out.store;
  JsonWriter json;
  json.begin_object().key("defaults").begin_object();
  MM_RETURN_IF_ERROR(put_number(properties, "default_response_timeout", "responseTimeout", json));
  MM_RETURN_IF_ERROR(put_number(properties, "default_startup_timeout", "startupTimeout", json));
  if (const std::string* const envelope = find(properties, "service_envelope"))
    json.field("serviceEnvelope", *envelope);
  if (const std::string* const decode = find(properties, "decode_input_request"))
    json.field("decodeInputRequest", *decode);
  json.end_object().key("models");
  std::vector<std::string> names;
  const std::string* const list = find(properties, "load_models");
  if (list != nullptr && !is_word(*list, "standalone")) names = comma_list(*list);
  const std::string* const snapshot = find(properties, "model_snapshot");
  const std::string* const models = find(properties, "models");
  const std::string key = snapshot != nullptr ? "model_snapshot" : "models";
  if (snapshot != nullptr || models != nullptr) {
    MM_ASSIGN_OR_RETURN(const Said said,
                        read_models(key, snapshot != nullptr ? *snapshot : *models, snapshot != nullptr));
    json.raw(said.models).field("snapshot", snapshot != nullptr);
    if (snapshot != nullptr) names = said.archives;
  } else {
    json.begin_object().end_object();
  }
  json.end_object();
  MM_ASSIGN_OR_RETURN(out.paths, paths_of(names, out.store, find(properties, "allowed_urls")));
  MM_ASSIGN_OR_RETURN(out.models, read_torchserve_models(json.take(), "'" + key + "'"));
  return out;
}

}  // namespace modelmill
