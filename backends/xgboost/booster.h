#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "api.h"
#include "support/booster.h"
#include "support/tree_options.h"

namespace modelmill::xgboost {

/// A model file in XGBoost: JSON, UBJSON, or the binary form of before as far as the library reads it. Predictions of
/// trees from dense rows run side by side; all else (leaves, contributions, linear boosters) needs a matrix of the
/// library's own, and is done one at a time.
class XgboostBooster final : public backend::Booster {
 public:
  XgboostBooster(const std::string& file, const backend::TreeOptions& options);
  ~XgboostBooster() override;

  mm_dtype result_type() const override { return MM_FP32; }
  std::vector<int64_t> row_shape() const override { return row_shape_; }
  bool never_blocks() const override { return in_place_ && threads_ == 1; }
  std::unique_ptr<backend::Predictor> make_predictor(mm_dtype input) const override;

  /// `array`: the rows as __array_interface__. `proxy`: the caller's own (make_proxy), by which the library takes them;
  /// making one for each call would be a third of the cost of a row. The result lives until this thread's next call.
  const float* predict(const std::string& array, MatrixHandle proxy) const;

 private:
  void read_facts();
  void choose(const backend::TreeOptions& options);
  void find_row_shape();

  BoosterHandle handle_ = nullptr;
  const int threads_;
  bool linear_ = false;
  bool in_place_ = true;
  std::string predict_config_;
  std::vector<int64_t> row_shape_;
  mutable std::mutex mutex_;  // of predictions that are not in place
};

}  // namespace modelmill::xgboost
