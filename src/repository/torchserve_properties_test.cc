#include "repository/torchserve_properties.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using Paths = std::vector<std::string>;

TorchserveStartup startup(const std::string& text) {
  auto out = torchserve_startup(*parse_properties(text));
  EXPECT_TRUE(out.ok()) << out.status().message();
  return out.ok() ? *out : TorchserveStartup();
}

TEST(TorchserveStartup, NamesWhatIsLoaded) {
  EXPECT_EQ(startup("model_store=s\nload_models=All").paths, Paths{"s"});
  EXPECT_EQ(startup("model_store=s/\nload_models=a.mar, b=c.mar ,").paths, (Paths{"s/a.mar", "b=s/c.mar"}));
  EXPECT_EQ(startup("model_store=s\nload_models=standalone").paths, Paths());
  EXPECT_EQ(startup("model_store=s").store, "s");
  EXPECT_EQ(
      startup("model_store=s\nload_models=x.mar\nmodel_snapshot={\\n \"models\"\\: {\"m\": {\"1.0\": {\"marName\": "
              "\"a.mar\"}, \"2.0\": {\"marName\": \"b.mar\"}}}}")
          .paths,
      (Paths{"m=s/a.mar", "m=s/b.mar"}));
}

TEST(TorchserveStartup, LoadsFromUrlsThatAreAllowed) {
  const std::string list = "model_store=s\nload_models=a.mar,https://h/b.mar,m=http://h/c.mar?v=1\n";
  EXPECT_EQ(startup(list).paths, (Paths{"s/a.mar", "https://h/b.mar", "m=http://h/c.mar?v=1"}));
  EXPECT_EQ(startup(list + "allowed_urls=https://x/.*,https?://h/.*").paths.size(), 3U);
  EXPECT_EQ(url_of_entry("m=http://h/c.mar?v=1"), "http://h/c.mar?v=1");
  EXPECT_EQ(url_of_entry("http://h/c.mar?v=1"), "http://h/c.mar?v=1");
  const auto refusal = [](const std::string& text) {
    return torchserve_startup(*parse_properties(text)).status().message();
  };
  EXPECT_EQ(refusal(list + "allowed_urls=https://h/.*"),
            "'load_models' names 'http://h/c.mar?v=1', which no expression of 'allowed_urls' allows");
  EXPECT_TRUE(refusal(list + "allowed_urls=(").starts_with("'allowed_urls' has '(', which is no expression"));
  EXPECT_TRUE(refusal("load_models=file:///b.mar").ends_with("name it as a PATH on the command line"));
}

TEST(TorchserveStartup, ABatchOfOneInASnapshotSaysNothing) {
  const std::string models =
      R"({"m": {"1.0": {"marName": "a.mar", "batchSize": 1, "minWorkers": 2, "maxWorkers": 2}}})";
  const auto layer = [](const TorchserveStartup& said) { return said.models.models.at("m").at("1.0").layer; };
  const auto taken = layer(startup("model_store=s\nmodel_snapshot={\"models\": " + models + "}"));
  EXPECT_FALSE(taken.says("max_batch_size"));
  EXPECT_TRUE(taken.says("instance_group"));
  EXPECT_TRUE(layer(startup("model_store=s\nmodels=" + models)).says("max_batch_size"));
}

TEST(TorchserveStartup, LooksForWorkflowsInTheirStore) {
  EXPECT_EQ(startup("model_store=s\nworkflow_store=w").workflow_store, "w");
  EXPECT_EQ(startup("model_store=s").workflow_store, "s");
}

TEST(TorchserveStartup, SettingsLieBelowWhatAnArchiveSays) {
  const auto said = startup(
      "default_response_timeout=30\nservice_envelope=body\ndecode_input_request=false\n"
      "models={\"m\": {\"1.0\": {\"batchSize\": 4, \"defaultVersion\": true}, \"2.0\": {\"batchSize\": 8}}}");
  FoundModel model;
  model.name = "m";
  model.layout = ModelLayout::kTorchserve;
  ModelLayer own;
  own.labels = VersionLabels{{"1.0", 1}, {"2.0", 2}};
  own.config.set_name("m");
  own.config.set_backend("python");
  own.fields = {"name", "backend"};
  model.layers.push_back(own);
  lay_below(model, said.models);
  const auto laid = lay_over(model.layers);
  EXPECT_EQ(laid.definition.max_batch_size, 8);
  EXPECT_EQ(laid.definition.default_version, 1);
  EXPECT_EQ(laid.definition.parameters.at("execution_timeout_s"), "30");
  EXPECT_EQ(laid.definition.parameters.at("service_envelope"), "body");
  EXPECT_EQ(laid.definition.parameters.at("decode_input_request"), "false");

  own.config.set_max_batch_size(2);
  own.fields.insert("max_batch_size");
  model.layers = {own};
  lay_below(model, said.models);
  EXPECT_EQ(lay_over(model.layers).definition.max_batch_size, 2);

  FoundModel other;
  other.layout = ModelLayout::kFolder;
  lay_below(other, said.models);
  EXPECT_TRUE(other.layers.empty());
}

TEST(TorchserveProperties, VariablesCountMoreWhereTheFileSaysSo) {
  const Variables variables = [](const std::string& name) -> std::optional<std::string> {
    if (name == "TS_JOB_QUEUE_SIZE") return "9";
    if (name == "X1") return "there";
    return std::nullopt;
  };
  constexpr std::string_view kKeys[] = {"job_queue_size"};
  const auto resolve = [&](const char* text) { return resolve_properties(*parse_properties(text), kKeys, variables); };
  EXPECT_EQ(resolve("job_queue_size=1")->at("job_queue_size"), "1");
  EXPECT_EQ(resolve("enable_envvars_config=TRUE")->at("job_queue_size"), "9");
  EXPECT_EQ(resolve("a=is $$X1$$, $$X1$$ $ $$")->at("a"), "is there, there $ $$");
  EXPECT_EQ(resolve("a=$$X2$$").status().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace modelmill
