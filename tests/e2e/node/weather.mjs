// The official npm SDK: chat with a tool, whole, streamed, and by the runner that calls tools itself; a list of models.
// Usage: node weather.mjs BASE_URL SESSION; prints what it heard as one line of JSON.
import OpenAI from "openai";

const [baseURL, session] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "sk-e2e", defaultHeaders: { "x-understudy-session": session } });
const model = "gpt-4o-mini";
const question = [
  { role: "system", content: "You tell people about the weather, with the tools that you are given." },
  { role: "user", content: 'What is the weather in "Paris"?' },
];
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const described = { name: "get_weather", description: "Get the weather in a city.", parameters };
const tools = [{ type: "function", function: described }];

const weather = (heard) => ({ city }) => {
  heard.tools.push(city);
  return `21 degrees in ${city}`;
};

async function whole(messages) {
  return (await client.chat.completions.create({ model, messages, tools })).choices[0].message;
}

const streamed = (heard) => async (messages) => {
  const stream = client.chat.completions.stream({ model, messages, tools });
  heard.pieces = 0;
  for await (const _ of stream) heard.pieces += 1;
  return await stream.finalMessage();
};

async function converse(heard, ask) {
  const message = await ask(question);
  const results = message.tool_calls.map((call) => ({
    role: "tool",
    tool_call_id: call.id,
    content: weather(heard)(JSON.parse(call.function.arguments)),
  }));
  heard.text = (await ask([...question, message, ...results])).content;
  return heard;
}

async function run(heard) {
  const callable = { ...described, function: weather(heard), parse: JSON.parse };
  const runner = client.chat.completions.runTools({
    model,
    messages: question,
    tools: [{ type: "function", function: callable }],
  });
  heard.text = await runner.finalContent();
  return heard;
}

const begun = (how) => ({ how, tools: [], pieces: 1, text: "" });
const heard = [await converse(begun("chat"), whole)];
const streaming = begun("chat, streamed");
heard.push(await converse(streaming, streamed(streaming)));
heard.push(await run(begun("chat, by the runner")));
const models = (await client.models.list()).data.map((each) => each.id);
console.log(JSON.stringify([...heard, { how: "models", models }]));
