#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "catalog/catalog.h"
#include "catalog/route_control.h"
#include "rollout/route_document.h"
#include "state/store.h"

namespace modelmill {

/// Decides which routes there are, keeps them with their history in the store, and publishes them. What another
/// process puts into the store is in force here too. Thread-safe.
class RouteKeeper final : public RouteControl {
 public:
  struct Options {
    /// Gives the store, opening it; `make`: also where there is none yet. Null, or what it returns is: nothing outlasts
    /// the server.
    std::function<Result<StateStore*>(bool make)> store;
    /// Puts routes in force, these and no others. Called with a lock held, so that the last one is the newest.
    std::function<void(const std::vector<RouteDefinition>&)> publish;
    /// UTC, ISO 8601.
    std::function<std::string()> now;
  };

  /// The catalog, and what the options lead to, must outlive it.
  RouteKeeper(const Catalog& catalog, Options options);
  ~RouteKeeper() override;

  /// Puts in force what was kept. An error when a later release wrote it.
  Status restore();
  /// Where another process has kept the first one since: puts in force what there is, and hears of changes from now on.
  /// Where they can't be heard of, puts in force what there is now.
  void look_for_store();
  /// A file wants the route: it is set, unless the last that was declared of it was just so. So what clients have
  /// changed since lasts until the file changes. For once the models are known. INVALID_ARGUMENT for targets that there
  /// are not.
  Status declare(const RouteDefinition& route, const std::string& file);
  /// Logs which routes lead to what there is not any more.
  void look_over() const;

  std::vector<RouteHistory> list() const override;
  Result<RouteHistory> history(const std::string& name) const override;
  Result<RouteHistory> set(RouteDefinition route, const std::string& by) override;
  Result<RouteHistory> remove(const std::string& name, const std::string& by) override;
  Result<RouteHistory> undo(const std::string& name, const std::string& by) override;

 private:
  /// Changes what is kept of a route, again when another process was faster, and puts it in force. An error of `change`
  /// ends it, and nothing is written.
  Result<RouteHistory> update(const std::string& name, const std::function<Status(RouteDocument&)>& change);
  Result<StateStore*> store(bool make) MM_REQUIRES(mutex_);
  Status read_all(StateStore& store) MM_REQUIRES(mutex_);
  std::unique_ptr<StoreWatch> watch(StateStore& store) MM_REQUIRES(watch_mutex_);
  /// Once there is a store, reads what it has, and hears of what others write to it from then on; where that can't be
  /// heard of, it is read each time.
  Status follow_store();
  void publish() const MM_REQUIRES(mutex_);

  const Catalog& catalog_;
  const Options options_;
  mutable Mutex mutex_;
  std::map<std::string, RouteDocument> documents_ MM_GUARDED_BY(mutex_);
  Mutex watch_mutex_;
  std::unique_ptr<StoreWatch> watch_ MM_GUARDED_BY(watch_mutex_);  // null: there is no store yet, or no watch of it
  bool followed_ MM_GUARDED_BY(watch_mutex_) = false;              // watched, and read since
  bool told_unwatched_ MM_GUARDED_BY(watch_mutex_) = false;
  std::string told_ MM_GUARDED_BY(watch_mutex_);  // of what could not be read
};

}  // namespace modelmill
