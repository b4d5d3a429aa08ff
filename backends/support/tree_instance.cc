#include "support/tree_instance.h"

#include <algorithm>

namespace modelmill::backend {
namespace {

/// Writes results as the type that clients get.
template <typename From, typename To>
void write_numbers(const From* from, uint64_t count, void* to) {
  auto* out = static_cast<To*>(to);
  for (uint64_t i = 0; i < count; ++i) out[i] = static_cast<To>(from[i]);
}

template <typename From>
void write_as(mm_dtype type, const From* from, uint64_t count, void* to) {
  switch (type) {
    case MM_FP32: return write_numbers<From, float>(from, count, to);
    case MM_FP64: return write_numbers<From, double>(from, count, to);
    case MM_INT32: return write_numbers<From, int32_t>(from, count, to);
    default: return write_numbers<From, int64_t>(from, count, to);
  }
}

/// Puts a column, in pieces, into its place in each row of a matrix.
template <typename T>
void scatter(const mm_tensor& tensor, T* to, uint64_t stride) {
  for (uint32_t i = 0; i < tensor.chunk_count; ++i) {
    const auto* bytes = static_cast<const std::byte*>(tensor.chunks[i].data);
    for (uint64_t at = 0; at < tensor.chunks[i].size; at += sizeof(T), to += stride) {
      T value;
      std::memcpy(&value, bytes + at, sizeof value);
      *to = value;
    }
  }
}

class TreeInstance final : public Instance {
 public:
  TreeInstance(const Booster& booster, const TreeOptions& options, std::vector<int64_t> row_shape, mm_dtype output_type)
      : booster_(booster),
        options_(options),
        output_type_(output_type),
        predictor_(booster.make_predictor(options.input_type)) {
    shape_.push_back(0);
    shape_.insert(shape_.end(), row_shape.begin(), row_shape.end());
    row_results_ = element_count(booster.row_shape());
    row_numbers_ = element_count(row_shape);
  }

  void execute(Execution& execution) override {
    row_counts_.clear();
    int64_t rows = 0;
    for (const Request& request : execution) {
      const mm_tensor first = request.input(0);
      row_counts_.push_back(first.shape[0]);
      rows += first.shape[0];
    }
    const void* matrix =
        options_.columns ? gather_columns(execution, rows) : gather(execution, options_.input_name, matrix_).data;
    execution.mark_input_end();
    const void* results = rows > 0 ? predictor_->predict(matrix, rows) : nullptr;
    if (booster_.result_type() == MM_FP64)
      answer(execution, finish(static_cast<const double*>(results), rows));
    else
      answer(execution, finish(static_cast<const float*>(results), rows));
  }

 private:
  const void* gather_columns(const Execution& execution, int64_t rows) {
    const uint64_t element = element_size(options_.input_type);
    const auto features = static_cast<uint64_t>(booster_.facts().features);
    std::byte* row = matrix_.reserve(static_cast<uint64_t>(rows) * features * element);
    const std::byte* const begin = row;
    for (size_t i = 0; i < row_counts_.size(); ++i) {
      for (uint64_t k = 0; k < features; ++k) {
        const mm_tensor column = execution[static_cast<uint32_t>(i)].input(static_cast<uint32_t>(k));
        if (column.shape[0] != row_counts_[i])
          throw Error(MM_INVALID_ARGUMENT, "column '" + std::string(column.name) + "' has " +
                                               std::to_string(column.shape[0]) + " rows, and the first one has " +
                                               std::to_string(row_counts_[i]));
        if (options_.input_type == MM_FP64)
          scatter(column, reinterpret_cast<double*>(row) + k, features);
        else
          scatter(column, reinterpret_cast<float*>(row) + k, features);
      }
      row += static_cast<uint64_t>(row_counts_[i]) * features * element;
    }
    return begin;
  }

  /// The booster's results as the numbers that are served, as many as row_numbers_ a row.
  template <typename T>
  const T* finish(const T* results, int64_t rows) {
    const auto row_count = static_cast<uint64_t>(rows);
    if (options_.output == TreeOutput::kClass) {
      T* out = reinterpret_cast<T*>(finished_.reserve(row_count * row_numbers_ * sizeof(T)));
      const bool vote = booster_.facts().multiclass;
      for (uint64_t i = 0; i < row_count * row_numbers_; ++i) {
        if (!vote) {
          out[i] = results[i] > static_cast<T>(options_.threshold) ? 1 : 0;
          continue;
        }
        const T* row = results + i * row_results_;
        out[i] = static_cast<T>(std::max_element(row, row + row_results_) - row);
      }
      return out;
    }
    if (options_.output == TreeOutput::kProbability && !booster_.facts().multiclass) {
      T* out = reinterpret_cast<T*>(finished_.reserve(row_count * row_numbers_ * sizeof(T)));
      for (uint64_t i = 0; i < row_count * row_results_; ++i) {
        out[2 * i] = 1 - results[i];
        out[2 * i + 1] = results[i];
      }
      return out;
    }
    return results;
  }

  template <typename T>
  void answer(Execution& execution, const T* numbers) {
    execution.mark_infer_end();
    for (size_t i = 0; i < row_counts_.size(); ++i) {
      Request& request = execution[static_cast<uint32_t>(i)];
      const uint64_t count = static_cast<uint64_t>(row_counts_[i]) * row_numbers_;
      try {
        Response response = request.respond();
        shape_[0] = row_counts_[i];
        if (request.wants(options_.output_name))
          write_as(output_type_, numbers, count, response.allocate(options_.output_name.c_str(), output_type_, shape_));
        response.send();
      } catch (...) {
        request.fail(current_error());
      }
      numbers += count;
    }
  }

  const Booster& booster_;
  const TreeOptions& options_;
  const mm_dtype output_type_;
  const std::unique_ptr<Predictor> predictor_;
  std::vector<int64_t> shape_;  // of an answer; its first size changes
  uint64_t row_results_ = 1;    // numbers of a row that the booster gives
  uint64_t row_numbers_ = 1;    // ... and that are served

  // Of the execution that runs; kept for their memory.
  Buffer matrix_, finished_;
  std::vector<int64_t> row_counts_;
};

}  // namespace

std::unique_ptr<Instance> make_tree_instance(const Booster& booster, const TreeOptions& options,
                                             std::vector<int64_t> row_shape, mm_dtype output_type) {
  return std::make_unique<TreeInstance>(booster, options, std::move(row_shape), output_type);
}

}  // namespace modelmill::backend
