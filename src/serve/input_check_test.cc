#include "serve/input_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/inference.h"
#include "serve/testing/fake_version.h"

namespace modelmill {
namespace {

using testing::FakeCatalog;
using ::testing::HasSubstr;
using testing::RecordingSink;
using testing::simple_description;

Tensor tensor(std::string name, DataType dtype, Shape shape, size_t bytes) {
  Tensor t;
  t.name = std::move(name);
  t.dtype = dtype;
  t.shape = std::move(shape);
  t.data.push_back(Bytes::from_string(std::string(bytes, '\0')));
  return t;
}

ModelVersion::Description two_inputs() {
  auto d = simple_description("two");
  d.signature.inputs = {{"a", DataType::kFp32, {-1, 2}, {}, false},
                        {"b", DataType::kInt64, {-1, 1}, {}, false},
                        {"c", DataType::kInt8, {-1}, {}, true}};
  return d;
}

struct Outcome {
  Status status;
  int64_t rows = 0;
  std::vector<std::string> order;
};

Outcome run(ModelVersion::Description description, std::vector<Tensor> inputs,
            std::vector<RequestedOutput> outputs = {}) {
  FakeCatalog catalog;
  Outcome outcome;
  const std::string name = description.definition.name;
  catalog.add(std::move(description), [&](InferRequestPtr request) {
    outcome.rows = request->batch_rows;
    for (const Tensor& input : request->inputs) outcome.order.push_back(input.name);
    request->complete({});
  });
  const auto sink = std::make_shared<RecordingSink>();
  auto request = std::make_unique<InferRequest>(sink);
  request->model = name;
  for (Tensor& input : inputs) request->inputs.push_back(std::move(input));
  for (RequestedOutput& output : outputs) request->outputs.push_back(std::move(output));
  Inference(catalog.catalog()).submit(std::move(request));
  EXPECT_EQ(sink->finals, 1);
  outcome.status = sink->responses.at(0).status;
  return outcome;
}

TEST(InputCheck, AcceptsAndCountsRows) {
  const Outcome outcome = run(simple_description("m"), {tensor("x", DataType::kFp32, {3, 4}, 48)});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.to_string();
  EXPECT_EQ(outcome.rows, 3);
}

TEST(InputCheck, OrdersInputsAsTheSignatureAndLetsOptionalOnesOut) {
  const Outcome outcome =
      run(two_inputs(), {tensor("b", DataType::kInt64, {2, 1}, 16), tensor("a", DataType::kFp32, {2, 2}, 16)});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.to_string();
  EXPECT_THAT(outcome.order, ::testing::ElementsAre("a", "b"));
}

struct Refused {
  std::string name;
  std::vector<Tensor> inputs;
  std::string message;
};

TEST(InputCheck, AnOpenSignatureTakesWhatIsWhatItSays) {
  auto d = two_inputs();
  d.signature.open = true;
  d.definition.max_batch_size = 0;
  const Outcome any = run(d, {tensor("z", DataType::kFp64, {}, 8), tensor("a", DataType::kInt8, {3}, 3)}, {{"any", 0}});
  EXPECT_TRUE(any.status.ok()) << any.status.to_string();
  EXPECT_EQ(any.order, (std::vector<std::string>{"z", "a"})) << "the client's order";
  EXPECT_TRUE(run(d, {}).status.ok());
  EXPECT_THAT(run(d, {tensor("z", DataType::kFp64, {2}, 8)}).status.message(), HasSubstr("Expected 16, got 8"));
  EXPECT_THAT(run(d, {tensor("z", DataType::kBytes, {1}, 3)}).status.message(), HasSubstr("expecting 4 bytes"));
  EXPECT_THAT(run(d, {tensor("z", DataType::kInt8, {-1}, 1)}).status.message(), HasSubstr("should be specified"));
  const Tensor twice = tensor("z", DataType::kInt8, {1}, 1);
  EXPECT_THAT(run(d, {twice, twice}).status.message(), HasSubstr("'z' already exists"));
}

TEST(InputCheck, RefusesInTritonsWords) {
  const auto x = [](Shape shape, size_t bytes, DataType dtype = DataType::kFp32) {
    return tensor("x", dtype, std::move(shape), bytes);
  };
  const std::vector<Refused> cases = {
      {"none",
       {},
       "[request id: <id_unknown>] expected 1 inputs but got 0 inputs for model 'm'. Got input(s) [], but "
       "missing required input(s) ['x']. Please provide all required input(s)."},
      {"too many",
       {x({1, 4}, 16), tensor("z", DataType::kFp32, {1, 4}, 16)},
       "expected 1 inputs but got 2 inputs for model 'm'"},
      {"twice", {x({1, 4}, 16), x({1, 4}, 16)}, "input 'x' already exists in request"},
      {"wrong name", {tensor("z", DataType::kFp32, {1, 4}, 16)}, "unexpected inference input 'z' for model 'm'"},
      {"dtype",
       {x({1, 4}, 32, DataType::kInt64)},
       "inference input 'x' data-type is 'INT64', but model 'm' expects 'FP32'"},
      {"shape", {x({1, 5}, 20)}, "unexpected shape for input 'x' for model 'm'. Expected [-1,4], got [1,5]"},
      {"no batch", {x({4}, 16)}, "Expected [-1,4], got [4]. The first dimension is the batch: send [1,4] for one row."},
      {"scalar", {x({}, 4)}, "input 'x' has no shape but model requires batch dimension for 'm'"},
      {"batch", {x({9, 4}, 144)}, "inference request batch-size must be <= 8 for 'm'"},
      {"bytes", {x({1, 4}, 15)}, "input byte size mismatch for input 'x' for model 'm'. Expected 16, got 15"},
      {"negative", {x({1, -1}, 16)}, "All input dimensions should be specified for input 'x'"},
  };
  for (const Refused& c : cases) {
    const Outcome outcome = run(simple_description("m"), c.inputs);
    EXPECT_EQ(outcome.status.code(), Code::kInvalidArgument) << c.name;
    EXPECT_THAT(outcome.status.message(), HasSubstr(c.message)) << c.name;
  }
}

/// So many that comparing them with each other would take minutes.
std::vector<Tensor> many_inputs(size_t count) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < count; ++i) inputs.push_back(tensor("x" + std::to_string(i), DataType::kInt8, {1}, 1));
  return inputs;
}

TEST(InputCheck, RefusesTooManyInputsByTheirNumber) {
  const Status closed = run(simple_description("m"), many_inputs(100'000)).status;
  EXPECT_EQ(closed.code(), Code::kInvalidArgument);
  EXPECT_THAT(closed.message(),
              HasSubstr("expected 1 inputs but got 100000 inputs for model 'm'. Got input(s) ['x0',"));
  EXPECT_THAT(closed.message(), HasSubstr("'x31',...], but missing required input(s) ['x']"));
  auto open = two_inputs();
  open.signature.open = true;
  open.definition.max_batch_size = 0;
  const Status status = run(open, many_inputs(100'000)).status;
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(),
              HasSubstr("got 100000 inputs for model 'two', which takes any inputs, but at most 1024"));
  EXPECT_TRUE(run(open, many_inputs(1024)).status.ok());
  std::vector<Tensor> twice = many_inputs(1000);
  twice.push_back(tensor("x7", DataType::kInt8, {1}, 1));
  EXPECT_THAT(run(open, std::move(twice)).status.message(), HasSubstr("'x7' already exists"));
}

TEST(InputCheck, ManyInputsThatTheSignatureHas) {
  auto d = simple_description("m");
  d.definition.max_batch_size = 0;
  d.signature.inputs.clear();
  for (size_t i = 0; i < 100; ++i)
    d.signature.inputs.push_back({"x" + std::to_string(i), DataType::kInt8, {-1}, {}, false});
  EXPECT_TRUE(run(d, many_inputs(100)).status.ok());
  std::vector<Tensor> twice = many_inputs(99);
  twice.push_back(tensor("x7", DataType::kInt8, {1}, 1));
  EXPECT_THAT(run(d, std::move(twice)).status.message(), HasSubstr("'x7' already exists"));
}

TEST(InputCheck, RefusesHugeShapes) {
  auto d = simple_description("m");
  d.definition.max_batch_size = 0;
  d.signature.inputs[0].shape = {-1, -1};
  const Outcome outcome = run(d, {tensor("x", DataType::kFp32, {int64_t{1} << 62, int64_t{1} << 62}, 4)});
  EXPECT_THAT(outcome.status.message(), HasSubstr("exceeds maximum size"));
}

TEST(InputCheck, BatchSizesMustAgree) {
  const Outcome outcome =
      run(two_inputs(), {tensor("a", DataType::kFp32, {2, 2}, 16), tensor("b", DataType::kInt64, {1, 1}, 8)});
  EXPECT_THAT(outcome.status.message(), HasSubstr("input 'b' batch size does not match other inputs for 'two'"));
}

TEST(InputCheck, ABoundOfTheServersOwnIsNoneForClients) {
  auto d = simple_description("m");
  d.definition.batching.mode = BatchingDefinition::Mode::kAuto;
  const Outcome outcome = run(d, {tensor("x", DataType::kFp32, {100, 4}, 1600)});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.to_string();
  EXPECT_EQ(outcome.rows, 100);
}

TEST(InputCheck, WithoutBatchDimensionOneRow) {
  auto d = simple_description("m");
  d.definition.max_batch_size = 0;
  const Outcome outcome = run(d, {tensor("x", DataType::kFp32, {100, 4}, 1600)});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.to_string();
  EXPECT_EQ(outcome.rows, 1);
}

TEST(InputCheck, ChecksStrings) {
  auto d = simple_description("m");
  d.signature.inputs[0] = {"x", DataType::kBytes, {-1, 2}, {}, false};
  const auto strings = [](std::string data) {
    Tensor t = tensor("x", DataType::kBytes, {1, 2}, 0);
    t.data[0] = Bytes::from_string(std::move(data));
    return t;
  };
  const std::string a("\1\0\0\0a", 5);
  EXPECT_TRUE(run(d, {strings(a + a)}).status.ok());
  EXPECT_THAT(run(d, {strings(a)}).status.message(),
              HasSubstr("expected 2 string elements for inference input 'x' for model 'm', got 1"));
  EXPECT_THAT(run(d, {strings(a + a + a)}).status.message(), HasSubstr("unexpected number of string elements 3"));
  EXPECT_THAT(run(d, {strings(a + "xy")}).status.message(), HasSubstr("incomplete string length indicator"));
  EXPECT_THAT(run(d, {strings(a + std::string("\5\0\0\0a", 5))}).status.message(), HasSubstr("incomplete string data"));
}

TEST(InputCheck, UnknownOutputsAreRefused) {
  const Outcome outcome = run(simple_description("m"), {tensor("x", DataType::kFp32, {1, 4}, 16)}, {{"q"}});
  EXPECT_THAT(outcome.status.message(), HasSubstr("unexpected inference output 'q' for model 'm'"));
}

TEST(Inference, UnknownModel) {
  FakeCatalog catalog;
  const auto sink = std::make_shared<RecordingSink>();
  auto request = std::make_unique<InferRequest>(sink);
  request->model = "nobody";
  Inference(catalog.catalog()).submit(std::move(request));
  EXPECT_EQ(sink->responses.at(0).status.code(), Code::kNotFound);
}

TEST(Inference, RefusesDecoupledModelsWhereOneAnswerIsAllThereCanBe) {
  FakeCatalog catalog;
  auto d = simple_description("m");
  d.definition.decoupled = true;
  catalog.add(d);
  const auto sink = std::make_shared<RecordingSink>();
  auto request = std::make_unique<InferRequest>(sink);
  request->model = "m";
  Inference(catalog.catalog()).submit(std::move(request), "one answer only");
  EXPECT_EQ(sink->responses.at(0).status, unimplemented("one answer only"));
}

TEST(Inference, ThePinIsHeldUntilTheAnswer) {
  FakeCatalog catalog;
  InferRequestPtr waiting;
  catalog.add(simple_description("m"), [&](InferRequestPtr request) { waiting = std::move(request); });
  Gate& gate = catalog.catalog().table()->find("m")->versions[0]->gate();
  auto request = std::make_unique<InferRequest>(std::make_shared<RecordingSink>());
  request->model = "m";
  request->inputs.push_back(tensor("x", DataType::kFp32, {1, 4}, 16));
  Inference(catalog.catalog()).submit(std::move(request));
  EXPECT_EQ(gate.inside_approx(), 1u);
  waiting->complete({});
  EXPECT_EQ(gate.inside_approx(), 0u);
}

}  // namespace
}  // namespace modelmill
