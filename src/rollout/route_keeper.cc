#include "rollout/route_keeper.h"

#include <utility>

#include "base/log.h"
#include "rollout/route_targets.h"

namespace modelmill {
namespace {

constexpr const char* kPrefix = "routes/";
/// Of a change that other processes are faster than, again and again.
constexpr int kAttempts = 16;

std::string key_of(const std::string& name) { return kPrefix + name; }
std::string what(const std::string& name) { return "route '" + name + "'"; }

Status no_route(const std::string& name) { return not_found("there is no route named '" + name + "'"); }

RouteHistory history_of(const std::string& name, const RouteDocument& document) {
  return {name, document.changes, document.declared};
}

}  // namespace

RouteKeeper::RouteKeeper(const Catalog& catalog, Options options) : catalog_(catalog), options_(std::move(options)) {}

RouteKeeper::~RouteKeeper() {
  std::unique_ptr<StoreWatch> watch;
  const MutexLock lock(watch_mutex_);
  watch = std::move(watch_);
}

Result<StateStore*> RouteKeeper::store(bool make) {
  if (!options_.store) return nullptr;
  return options_.store(make);
}

void RouteKeeper::publish() const {
  std::vector<RouteDefinition> routes;
  for (const auto& [name, document] : documents_)
    if (const RouteDefinition* route = document.route()) routes.push_back(*route);
  options_.publish(routes);
}

Status RouteKeeper::read_all(StateStore& store) {
  MM_ASSIGN_OR_RETURN(const auto stored, store.list(kPrefix));
  std::map<std::string, RouteDocument> read;
  for (const auto& [key, value] : stored) {
    const std::string name = key.substr(std::string_view(kPrefix).size());
    auto document = parse_route_document(value.value);
    if (!document.ok()) return document.status().with_context(what(name));
    read.emplace(name, *std::move(document));
  }
  if (read == documents_) return ok_status();
  documents_ = std::move(read);
  publish();
  return ok_status();
}

/// Null where it can't be had, which is told once.
std::unique_ptr<StoreWatch> RouteKeeper::watch(StateStore& store) {
  auto watch = store.watch(kPrefix, [this, &store](const std::string&) {
    const MutexLock lock(mutex_);
    if (const Status status = read_all(store); !status.ok())
      Log::error("routes that were changed can't be read; those from before stay in force",
                 {{"reason", status.message()}});
  });
  if (watch.ok()) return *std::move(watch);
  if (!std::exchange(told_unwatched_, true))
    Log::warning("changes of routes by other processes are not heard of, but looked for",
                 {{"reason", watch.status().message()}});
  return nullptr;
}

Status RouteKeeper::follow_store() {
  const MutexLock watching(watch_mutex_);
  if (followed_) return ok_status();
  StateStore* kept = nullptr;
  {
    const MutexLock lock(mutex_);
    MM_ASSIGN_OR_RETURN(kept, store(false));
  }
  if (kept == nullptr) return ok_status();
  // First heard of, then read: nothing is missed in between.
  if (!watch_) watch_ = watch(*kept);
  const MutexLock lock(mutex_);
  MM_RETURN_IF_ERROR(read_all(*kept));
  followed_ = watch_ != nullptr;
  return ok_status();
}

void RouteKeeper::look_for_store() {
  const Status status = follow_store();
  const MutexLock watching(watch_mutex_);
  if (!status.ok() && status.message() != told_)
    Log::error("routes that are kept can't be read", {{"reason", status.message()}});
  told_ = status.message();
}

Status RouteKeeper::restore() { return follow_store(); }

Result<RouteHistory> RouteKeeper::update(const std::string& name, const std::function<Status(RouteDocument&)>& change) {
  Result<RouteHistory> done = internal("not changed");
  {
    const MutexLock lock(mutex_);
    MM_ASSIGN_OR_RETURN(StateStore* const kept, store(true));
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      RouteDocument document;
      uint64_t revision = 0;
      if (kept == nullptr) {
        if (const auto it = documents_.find(name); it != documents_.end()) document = it->second;
      } else {
        MM_ASSIGN_OR_RETURN(const auto stored, kept->get(key_of(name)));
        if (stored) {
          MM_ASSIGN_OR_RETURN(document, parse_route_document(stored->value));
          revision = stored->revision;
        }
      }
      const RouteDocument before = document;
      MM_RETURN_IF_ERROR(change(document));
      if (document != before && kept != nullptr) {
        const auto put = kept->compare_and_put(key_of(name), route_document_text(document), revision);
        if (!put.ok()) done = put.status().with_context(what(name));
        if (put.status().code() == Code::kAborted) continue;
        MM_RETURN_IF_ERROR(put.status().with_context(what(name)));
      }
      documents_[name] = document;
      publish();
      done = history_of(name, document);
      break;
    }
  }
  if (done.ok()) look_for_store();
  return done;
}

std::vector<RouteHistory> RouteKeeper::list() const {
  const MutexLock lock(mutex_);
  std::vector<RouteHistory> all;
  for (const auto& [name, document] : documents_)
    if (document.route() != nullptr) all.push_back(history_of(name, document));
  return all;
}

Result<RouteHistory> RouteKeeper::history(const std::string& name) const {
  const MutexLock lock(mutex_);
  const auto it = documents_.find(name);
  if (it == documents_.end() || it->second.changes.empty()) return no_route(name);
  return history_of(name, it->second);
}

Result<RouteHistory> RouteKeeper::set(RouteDefinition route, const std::string& by) {
  MM_RETURN_IF_ERROR(check_route(route));
  MM_RETURN_IF_ERROR(check_targets(route, *catalog_.table()));
  return update(route.name, [&](RouteDocument& document) {
    const RouteDefinition* old = document.route();
    if (old == nullptr || *old != route) document.change("set", by, options_.now(), route);
    return ok_status();
  });
}

Result<RouteHistory> RouteKeeper::remove(const std::string& name, const std::string& by) {
  return update(name, [&](RouteDocument& document) {
    if (document.route() == nullptr) return no_route(name);
    document.change("delete", by, options_.now(), std::nullopt);
    return ok_status();
  });
}

Result<RouteHistory> RouteKeeper::undo(const std::string& name, const std::string& by) {
  const auto table = catalog_.table();
  return update(name, [&](RouteDocument& document) -> Status {
    if (document.changes.empty()) return no_route(name);
    MM_RETURN_IF_ERROR(document.undo(by, options_.now()).with_context(what(name)));
    return document.route() == nullptr ? ok_status() : check_targets(*document.route(), *table);
  });
}

Status RouteKeeper::declare(const RouteDefinition& route, const std::string& file) {
  MM_RETURN_IF_ERROR(check_targets(route, *catalog_.table()));
  const auto done = update(route.name, [&](RouteDocument& document) {
    if (document.declared && *document.declared == route) return ok_status();
    document.declared = route;
    const RouteDefinition* old = document.route();
    if (old == nullptr || *old != route) document.change("declare", file, options_.now(), route);
    return ok_status();
  });
  return done.status();
}

void RouteKeeper::look_over() const {
  const auto table = catalog_.table();
  for (const RouteHistory& kept : list())
    if (const Status status = check_targets(*kept.route(), *table); !status.ok())
      Log::warning("a route leads to what is not served any more", {{"reason", status.message()}});
}

}  // namespace modelmill
