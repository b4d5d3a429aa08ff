#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/batch_series.h"

namespace modelmill {

/// Which series of its requests' times a version has, beside those that all have.
struct SeriesSettings {
  bool counters = true;              // their sums, Triton's ..._duration_us
  bool histograms = true;            // ..._duration_histogram_us, and of first responses where a model gives several
  bool all_first_responses = false;  // of models that give one, too
  bool summaries = false;            // Triton's ..._summary_us, with these quantiles of the last minute
  std::vector<double> quantiles{0.5, 0.9, 0.95, 0.99, 0.999};
  /// What the labels that a model's metric_tags make begin with.
  std::string tag_prefix;
  /// Told of the batches of all versions; null: nobody is.
  std::shared_ptr<BatchSeries> batches;
};

}  // namespace modelmill
