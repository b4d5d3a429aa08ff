#include "cli/explain_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kLearned[] = R"({
  "model": "mlp", "version": 1, "summary": "batching pays 13x; about 40k rows/s on 2 instances",
  "batching": {"policy": "objective", "max_rows": 64, "objective_p99_us": 20000.0, "unbatched_reason": "",
               "gathering": {"in_flight": 8, "batches": 1200, "in_vain": 3}},
  "instances": {"count": 2, "busy": 1}, "pending": 1234, "on_loop": "allowed",
  "learned": [{"device": "cpu", "inputs": "x [4]", "best_rows": 16, "gain": 13.04, "rows_per_second": 20000.0,
               "next_limit": 32, "explored": false,
               "sizes": [{"rows": 1.0, "mean_us": 650.0, "p99_us": 1300.0, "executions": 40},
                         {"rows": 15.5, "mean_us": 775.0, "p99_us": 1550.0, "executions": 12345}]}],
  "advice": ["larger batches have not been tried", "a longer objective would help"]})";

TEST(ExplainText, TellsWhatWasLearnedAndWhatToChange) {
  const auto text = explain_text(kLearned);
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(
      *text,
      "mlp version 1: batching pays 13x; about 40k rows/s on 2 instances\n"
      "\n"
      "  batching    objective, up to 64 rows; 1,200 batches waited a moment for up to 8 rows, 3 of them in vain\n"
      "  objective   99 of 100 requests within 20.0 ms\n"
      "  instances   2, 1 busy\n"
      "  waiting     1,234 requests\n"
      "  event loop  small batches run on the loop that received them, without another thread\n"
      "\n"
      "Executions on cpu, inputs x [4]\n"
      "  ROWS    MEAN     P99  ROWS/S  EXECUTIONS\n"
      "   1.0  650 us  1.3 ms   1,538  40\n"
      "  15.5  775 us  1.6 ms  20,000  12,345\n"
      "  best: 16 rows together, 13.0x the rate of one; the next batch has at most 32, larger ones are still to be "
      "tried\n"
      "\n"
      "- larger batches have not been tried\n"
      "- a longer objective would help\n");
}

TEST(ExplainText, SaysWhyAModelIsNotBatched) {
  const auto text = explain_text(
      R"({"model": "m", "version": 2, "summary": "", "batching": {"policy": "unbatched", "max_rows": 1,
          "unbatched_reason": "rows differ"}, "learned": [], "advice": []})");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_THAT(*text, HasSubstr("m version 2: nothing has been learned yet\n"));
  EXPECT_THAT(*text, HasSubstr("  batching    unbatched: rows differ\n"));
  EXPECT_THAT(*text, Not(HasSubstr("objective")));
}

TEST(ExplainText, TellsTheMemoryOfDevicesAndWhatIsHeldBack) {
  const auto text = explain_text(
      R"({"model": "m", "version": 1, "instances": {"count": 3, "busy": 2, "held_back": "gpu 0 is full"},
          "devices": [{"gpu": 0, "bytes": 1048576, "held_bytes": 3145728, "budget_bytes": 4194304},
                      {"gpu": 2, "bytes": 1024, "held_bytes": 1024, "budget_bytes": 0}]})");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_THAT(*text, HasSubstr("  held back   no further instance: gpu 0 is full\n"
                               "  gpu 0       1.0 MiB of this model; 3.0 MiB of a budget of 4.0 MiB are held\n"
                               "  gpu 2       1.0 KiB of this model; 1.0 KiB are held, without a bound\n"));
}

TEST(ExplainText, TellsWithinWhatTheNumberOfInstancesChanges) {
  const auto text = explain_text(
      R"({"model": "m", "version": 1, "instances": {"count": 3, "busy": 2, "min": 0, "max": 4,
          "zero_after_us": 60000000.0, "last_change": "2 to 3: all were busy"}})");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_THAT(*text, HasSubstr("  instances   3, 2 busy; from 0 to 4 by the load, none after 60.0 s without a request; "
                               "last change: 2 to 3: all were busy\n"));
}

TEST(ExplainText, TellsHowRuntimesCompare) {
  const auto text = explain_text(
      R"({"model": "m", "version": 1, "backend": "openvino", "runtimes": {
          "chosen": {"backend": "openvino", "threads": 1, "instances": 2}, "reason": "1.50 times the rate",
          "tolerance": 0.0001, "candidates": [
            {"backend": "onnxruntime", "threads": 1, "instances": 2, "runtime": "ONNX Runtime 1", "distance": 0.0,
             "excluded": "", "sizes": [{"rows": 1, "rows_per_second": 1000.0}, {"rows": 2, "rows_per_second": 1400.0}]},
            {"backend": "openvino", "threads": 1, "instances": 2, "runtime": "OpenVINO", "distance": 0.00000031,
             "excluded": "", "sizes": [{"rows": 1, "rows_per_second": 2100.0}]},
            {"backend": "other", "threads": 2, "instances": 1, "runtime": "", "distance": 0.5,
             "excluded": "output 'y' is too far from the reference's", "sizes": []}]}})");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_THAT(*text, HasSubstr("  backend     openvino\n"));
  EXPECT_THAT(
      *text,
      HasSubstr("Runtimes, in rows a second by the rows of a batch; answers may differ by 0.0001 of the largest value\n"
                "  LAYOUT                     DIFFER      1  2\n"
                "  onnxruntime, 2 x 1 thread  0       1,000  1,400\n"
                "  openvino, 2 x 1 thread     3e-07   2,100  -\n"
                "  other, 1 x 2 threads       out         -  -\n"
                "  other, 1 x 2 threads is out: output 'y' is too far from the reference's\n"
                "  openvino, 2 x 1 thread was chosen: 1.50 times the rate\n"));
}

TEST(ExplainText, TellsInWhichPrecisionARuntimeComputes) {
  const auto text = explain_text(
      R"({"model": "m", "version": 1, "runtimes": {"reason": "it is fast", "tolerance": 0.01,
          "chosen": {"backend": "openvino", "threads": 2, "instances": 1, "precision": "bf16"}, "candidates": [
            {"backend": "openvino", "threads": 2, "instances": 1, "precision": "bf16", "distance": 0.004,
             "excluded": "", "sizes": []},
            {"backend": "openvino", "threads": 2, "instances": 1, "precision": "int8", "distance": 0.2,
             "excluded": "it differs", "sizes": []}]}})");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_THAT(*text, HasSubstr("  openvino in bf16, 1 x 2 threads  0.004\n"));
  EXPECT_THAT(*text, HasSubstr("  openvino in int8, 1 x 2 threads is out: it differs\n"));
  EXPECT_THAT(*text, HasSubstr("  openvino in bf16, 1 x 2 threads was chosen: it is fast\n"));
}

TEST(ExplainText, TellsOfEachEntryPoint) {
  const auto text = explain_text(
      R"({"model": "m", "version": 1, "signature": "serving_default", "summary": "about 9 rows/s on 1 instance",
          "instances": {"count": 4, "busy": 0}, "advice": ["more cores"],
          "signatures": [{"name": "add", "method": "tensorflow/serving/predict", "summary": "",
            "inputs": [{"name": "a", "datatype": "INT64", "shape": [-1]}, {"name": "b", "datatype": "INT64", "shape": []}],
            "outputs": [{"name": "sum", "datatype": "INT64", "shape": [-1, 2]}],
            "batching": {"policy": "unbatched", "max_rows": 1, "unbatched_reason": "rows differ"},
            "instances": {"count": 2, "busy": 1}, "pending": 3, "on_loop": "never", "learned": [],
            "advice": ["requests run alone"]}]})");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_THAT(*text, HasSubstr("  signature   serving_default\n"));
  EXPECT_THAT(*text, HasSubstr("  instances   4, 0 busy\n"));
  EXPECT_THAT(*text, HasSubstr("\n- more cores\n"
                               "\nSignature add: nothing has been learned yet\n"
                               "  inputs      a INT64[-1], b INT64[]\n"
                               "  outputs     sum INT64[-1,2]\n"
                               "  batching    unbatched: rows differ\n"
                               "  instances   2, 1 busy\n"
                               "  waiting     3 requests\n"
                               "  event loop  not used\n"
                               "\n- requests run alone\n"));
}

TEST(ExplainText, AnotherKindOfServerIsNamedAsOne) {
  for (const char* json : {"", "[]", "{}", "<html>", R"({"model": 1})"})
    EXPECT_THAT(explain_text(json).status().message(), HasSubstr("another kind of server")) << json;
}

}  // namespace
}  // namespace modelmill
