#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/model_control.h"
#include "runtime/offload.h"
#include "wire/http.h"

namespace modelmill::invocations {

/// A multi-model endpoint of SageMaker's: models come and go one by one, by the names that SageMaker gives them, from
/// folders that it has unpacked their archives into. Thread-safe.
class MultiModel : public std::enable_shared_from_this<MultiModel> {
 public:
  using Exchange = std::shared_ptr<wire::HttpExchange>;
  /// Has a model that is there answer a request.
  using Invoke = std::function<void(Exchange exchange, std::string model)>;

  /// `folders`: models are loaded from below these alone. `control`, `catalog` and
  /// `offload`, which looks at folders (null: the loop does), must outlive the exchanges.
  MultiModel(ModelControl& control, const Catalog& catalog, Offload* offload, std::vector<std::string> folders,
             Invoke invoke)
      : control_(control),
        catalog_(catalog),
        offload_(offload),
        folders_(std::move(folders)),
        invoke_(std::move(invoke)) {}

  /// A request whose path begins with /models.
  void handle(const Exchange& exchange);

 private:
  struct Loaded {
    std::string url;
    bool under_way = true;  // it comes or goes
  };
  struct Load {
    std::string model, url;
  };

  wire::HttpReply list(const wire::HttpRequest& request) const;
  wire::HttpReply describe(const std::string& model) const;
  static Result<Load> read_load(const wire::HttpRequest& request);
  void load(const Exchange& exchange);
  void begin(const Exchange& exchange, const Load& load);
  void loaded(const Exchange& exchange, const std::string& model, const Status& status);
  void unload(const Exchange& exchange, const std::string& model);
  bool is_ready(const std::string& model) const MM_REQUIRES(mutex_);
  /// It is served, whoever has loaded it.
  bool is_served(const std::string& model) const;
  /// Nobody else has or loads it.
  bool reserve(const Load& load);
  /// The folder that a URL is, as it really lies there. INVALID_ARGUMENT where it is in none of those allowed.
  Result<std::string> folder_of(const std::string& url) const;

  ModelControl& control_;
  const Catalog& catalog_;
  Offload* const offload_;
  const std::vector<std::string> folders_;
  const Invoke invoke_;
  mutable Mutex mutex_;
  std::map<std::string, Loaded> models_ MM_GUARDED_BY(mutex_);  // others may have taken some away since
};

}  // namespace modelmill::invocations
