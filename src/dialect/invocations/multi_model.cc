#include "dialect/invocations/multi_model.h"

#include <filesystem>
#include <utility>

#include "base/json_text.h"
#include "base/percent_text.h"
#include "dialect/http_router.h"
#include "dialect/json_input.h"
#include "dialect/large_work.h"
#include "dialect/method_check.h"

namespace modelmill::invocations {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostListed = 100;
constexpr size_t kLoadBytes = 64 * 1024;

/// What SageMaker reads of a load that failed.
int load_status(Code code) {
  if (code == Code::kAlreadyExists) return 409;
  return code == Code::kResourceExhausted ? 507 : 400;
}

wire::HttpReply failure(int status, const std::string& message) {
  JsonWriter json;
  json.begin_object().field("error", message).end_object();
  return json_reply(status, json.take());
}

wire::HttpReply not_loaded(const std::string& model) { return failure(404, "model '" + model + "' is not loaded"); }

wire::HttpReply done() { return json_reply(200, "{}"); }

void write_model(JsonWriter& json, const std::string& model, const std::string& url) {
  json.begin_object().field("modelName", model).field("modelUrl", url).end_object();
}

}  // namespace

Result<MultiModel::Load> MultiModel::read_load(const wire::HttpRequest& request) {
  if (request.body.size() > kLoadBytes)
    return invalid_argument("the body has " + std::to_string(request.body.size()) +
                            " bytes; a load has a model_name and a url, in at most " + std::to_string(kLoadBytes));
  const ThreadJsonParser parser;
  const auto document = parse_json(*parser, request.body.view(), readable_from(request.body));
  if (!document.ok()) return document.status().with_context("failed to parse the request JSON buffer");
  std::string_view model, url;
  if ((*document).at_key("model_name").get(model) || (*document).at_key("url").get(url) || model.empty())
    return invalid_argument("a load has the strings 'model_name' and 'url'");
  return Load{std::string(model), std::string(url)};
}

void MultiModel::handle(const Exchange& exchange) {
  const wire::HttpRequest& request = exchange->request();
  const Result<std::vector<std::string>> path = split_path(request.path);
  if (!path.ok()) return exchange->reply(error_reply(path.status()));
  const std::string& method = request.method;
  if (path->size() == 1) {
    if (method == "POST") return load(exchange);
    return exchange->reply(method == "GET" ? list(request) : wrong_method("GET, POST"));
  }
  const std::string& model = (*path)[1];
  if (path->size() == 2) {
    if (method == "DELETE") return unload(exchange, model);
    return exchange->reply(method == "GET" ? describe(model) : wrong_method("GET, DELETE"));
  }
  if (path->size() != 3 || path->back() != "invoke")
    return exchange->reply(error_reply(not_found("no such path: '" + request.path + "'")));
  if (method != "POST") return exchange->reply(wrong_method("POST"));
  bool ready = false;
  {
    const MutexLock lock(mutex_);
    ready = is_ready(model);
  }
  if (!ready) return exchange->reply(not_loaded(model));
  invoke_(exchange, model);
}

wire::HttpReply MultiModel::list(const wire::HttpRequest& request) const {
  const auto query = parse_query(request.query);
  if (!query.ok()) return error_reply(query.status());
  std::string after;
  for (const auto& [name, value] : *query)
    if (name == "next_page_token") after = value;
  JsonWriter json;
  json.begin_object().key("models").begin_array();
  size_t listed = 0;
  std::string last, next;
  {
    const MutexLock lock(mutex_);
    for (auto it = models_.upper_bound(after); it != models_.end() && next.empty(); ++it) {
      if (!is_ready(it->first)) continue;
      if (listed == kMostListed) {
        next = last;
        continue;
      }
      write_model(json, it->first, it->second.url);
      last = it->first;
      ++listed;
    }
  }
  json.end_array();
  if (!next.empty()) json.field("nextPageToken", next);
  json.end_object();
  return json_reply(200, json.take());
}

wire::HttpReply MultiModel::describe(const std::string& model) const {
  const MutexLock lock(mutex_);
  if (!is_ready(model)) return not_loaded(model);
  JsonWriter json;
  write_model(json, model, models_.at(model).url);
  return json_reply(200, json.take());
}

bool MultiModel::is_ready(const std::string& model) const {
  const auto found = models_.find(model);
  return found != models_.end() && !found->second.under_way && is_served(model);
}

bool MultiModel::is_served(const std::string& model) const {
  const auto table = catalog_.table();
  const ModelEntry* const entry = table->find(model);
  return entry != nullptr && !entry->versions.empty();
}

Result<std::string> MultiModel::folder_of(const std::string& url) const {
  std::error_code error;
  const fs::path folder = fs::canonical(url, error);
  if (error || !fs::is_directory(folder, error)) return not_found("there is no folder '" + url + "'");
  std::string below;
  for (const std::string& allowed : folders_) {
    below += (below.empty() ? "'" : " or '") + allowed + "'";
    const fs::path root = fs::canonical(allowed, error);
    if (!error && folder.string().starts_with(root.string() + '/')) return folder.string();
  }
  return invalid_argument("'" + url + "' is not below " + below + ", where models are unpacked");
}

void MultiModel::load(const Exchange& exchange) {
  const Result<Load> read = read_load(exchange->request());
  if (!read.ok()) return exchange->reply(failure(400, read.status().message()));
  if (offload_ == nullptr) return begin(exchange, *read);
  const Status taken =
      run_large(*offload_, [self = shared_from_this(), exchange, load = *read] { self->begin(exchange, load); });
  if (!taken.ok()) exchange->reply(error_reply(taken));
}

bool MultiModel::reserve(const Load& load) {
  if (is_served(load.model)) return false;
  const MutexLock lock(mutex_);
  const auto [at, fresh] = models_.try_emplace(load.model, Loaded{load.url});
  if (!fresh && at->second.under_way) return false;
  at->second = Loaded{load.url};
  return true;
}

/// Any thread.
void MultiModel::begin(const Exchange& exchange, const Load& load) {
  const auto refuse = [&](int status, const std::string& message) {
    exchange->loop().post(
        [exchange, reply = failure(status, message)]() mutable { exchange->reply(std::move(reply)); });
  };
  const Result<std::string> folder = folder_of(load.url);
  if (!folder.ok()) return refuse(400, folder.status().message());
  const std::string model = load.model;
  if (!reserve(load)) return refuse(409, "model '" + model + "' is loaded already");
  ModelAddition addition;
  addition.folder = *folder;
  addition.model = model;
  control_.add(std::move(addition), [self = shared_from_this(), exchange, model](const Result<AddedModel>& added) {
    const Status& status = added.status();
    // What is another's stays; what could not be loaded is not known any more.
    if (status.ok() || status.code() == Code::kAlreadyExists) return self->loaded(exchange, model, status);
    self->control_.unload({model},
                          [self, exchange, model, status](const Status&) { self->loaded(exchange, model, status); });
  });
}

void MultiModel::loaded(const Exchange& exchange, const std::string& model, const Status& status) {
  {
    const MutexLock lock(mutex_);
    if (status.ok())
      models_[model].under_way = false;
    else
      models_.erase(model);
  }
  exchange->loop().post([exchange, status] {
    exchange->reply(status.ok() ? done() : failure(load_status(status.code()), status.message()));
  });
}

void MultiModel::unload(const Exchange& exchange, const std::string& model) {
  {
    const MutexLock lock(mutex_);
    if (!is_ready(model)) return exchange->reply(not_loaded(model));
    models_[model].under_way = true;  // nobody unloads it twice, or loads it meanwhile
  }
  control_.unload({model, /*with_members=*/true}, [self = shared_from_this(), exchange, model](const Status& status) {
    const bool gone = status.ok() || status.code() == Code::kNotFound;
    {
      const MutexLock lock(self->mutex_);
      if (gone)
        self->models_.erase(model);
      else
        self->models_[model].under_way = false;
    }
    exchange->loop().post([exchange, gone, status] { exchange->reply(gone ? done() : error_reply(status)); });
  });
}

}  // namespace modelmill::invocations
