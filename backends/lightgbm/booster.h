#pragma once

#include <memory>
#include <string>

#include "api.h"
#include "support/booster.h"
#include "support/tree_options.h"

namespace modelmill::lightgbm {

/// A model file of LightGBM's. Predictions only read it, side by side.
class LightgbmBooster final : public backend::Booster {
 public:
  LightgbmBooster(const std::string& file, const backend::TreeOptions& options);
  ~LightgbmBooster() override;

  mm_dtype result_type() const override { return MM_FP64; }
  std::vector<int64_t> row_shape() const override { return row_shape_; }
  bool never_blocks() const override { return threads_ == 1; }
  std::unique_ptr<backend::Predictor> make_predictor(mm_dtype input) const override;

  BoosterHandle handle() const { return handle_; }
  int predict_type() const { return predict_type_; }
  int iterations() const { return iterations_; }
  int threads() const { return threads_; }

 private:
  void read_facts(const std::string& file);

  BoosterHandle handle_ = nullptr;
  const int threads_;
  int predict_type_ = kPredictValue;
  int iterations_ = -1;  // all
  std::vector<int64_t> row_shape_;
};

}  // namespace modelmill::lightgbm
