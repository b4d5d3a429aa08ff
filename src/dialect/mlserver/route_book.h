#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
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
  using Routes = std::vector<CustomRoute>;
  /// How long somebody waits for code that is asked for its paths.
  static constexpr Duration kPatience = std::chrono::seconds(1);

  explicit RouteBook(Inference& inference) : inference_(inference) {}

  /// The first version, by its model's name, that is known to serve that; empty: none is. `methods`: that the path has
  /// anywhere, "GET, PUT".
  VersionPin find(const std::string& method, const std::vector<std::string>& path, std::string& methods) const;

  /// Has those asked that are not known and have instances, each once however many want to know. Calls `done` when they
  /// have answered or can't, on any thread, maybe before this returns; it waits for none that was asked kPatience ago.
  void learn(TimePoint now, std::function<void()> done);

 private:
  class Question;
  struct Waiting;
  using Version = std::shared_ptr<ModelVersion>;
  using WeakVersion = std::weak_ptr<ModelVersion>;
  /// What is under way to a version.
  struct Asked {
    TimePoint since;
    std::vector<std::shared_ptr<Waiting>> waiting;
  };

  std::vector<Version> versions() const;
  std::shared_ptr<const Routes> routes_of(const Version& version) const;
  /// Has `waiting` told of the version's answer. A pin: it is to be asked for it.
  VersionPin await(const Version& version, const std::shared_ptr<Waiting>& waiting, TimePoint now);
  void ask(VersionPin pin, WeakVersion version);
  /// nullopt: it could not tell, and is asked again when somebody wants to know.
  void answered(const WeakVersion& version, std::optional<Routes> routes);

  Inference& inference_;
  mutable Mutex mutex_;
  /// Of versions that are gone until the next one is put in.
  std::map<WeakVersion, std::shared_ptr<const Routes>, std::owner_less<>> known_ MM_GUARDED_BY(mutex_);
  std::map<WeakVersion, Asked, std::owner_less<>> asked_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill::mlserver
