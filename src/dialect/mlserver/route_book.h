#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "dialect/mlserver/route_pattern.h"
#include "serve/inference.h"

namespace modelmill::mlserver {

/// A path that a model's code serves itself.
struct CustomRoute {
  std::string method;
  RoutePattern path;
};

/// Which paths the code of each version serves: what it said when it was asked. Thread-safe; `inference` outlives it.
class RouteBook : public std::enable_shared_from_this<RouteBook> {
 public:
  using Version = std::shared_ptr<ModelVersion>;
  using Routes = std::vector<CustomRoute>;

  explicit RouteBook(Inference& inference) : inference_(inference) {}

  /// The default version of each model whose signature is open.
  std::vector<Version> versions() const;

  /// Asks those of `versions` that are not known, and calls `done` when they have answered, on any thread, maybe before
  /// this returns: with OK, or why one can't tell.
  void learn(const std::vector<Version>& versions, std::function<void(Status)> done);

  /// Null: it is not known.
  std::shared_ptr<const Routes> routes_of(const Version& version) const;

 private:
  class Question;
  struct Waiting;

  void put(const Version& version, Routes routes);

  Inference& inference_;
  mutable Mutex mutex_;
  /// Of versions that are gone until the next one is put in.
  std::map<std::weak_ptr<ModelVersion>, std::shared_ptr<const Routes>, std::owner_less<>> known_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill::mlserver
