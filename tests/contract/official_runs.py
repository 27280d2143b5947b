"""What the official document says of runs, steps and models: names, no text."""

from tests.contract.official import PAGING, OfficialOperation, page_of, schema
from tests.contract.official import SCHEMAS as SCHEMAS_OF_THREADS

OPERATIONS = (
    OfficialOperation(
        "createThreadAndRun",
        "POST",
        "/threads/runs",
        (),
        (),
        "CreateThreadAndRunRequest",
        "RunObject",
    ),
    OfficialOperation(
        "listRuns",
        "GET",
        "/threads/{thread_id}/runs",
        ("thread_id",),
        PAGING,
        None,
        "ListRunsResponse",
    ),
    OfficialOperation(
        "createRun",
        "POST",
        "/threads/{thread_id}/runs",
        ("thread_id",),
        ("include[]",),
        "CreateRunRequest",
        "RunObject",
    ),
    OfficialOperation(
        "getRun",
        "GET",
        "/threads/{thread_id}/runs/{run_id}",
        ("thread_id", "run_id"),
        (),
        None,
        "RunObject",
    ),
    OfficialOperation(
        "modifyRun",
        "POST",
        "/threads/{thread_id}/runs/{run_id}",
        ("thread_id", "run_id"),
        (),
        "ModifyRunRequest",
        "RunObject",
    ),
    OfficialOperation(
        "cancelRun",
        "POST",
        "/threads/{thread_id}/runs/{run_id}/cancel",
        ("thread_id", "run_id"),
        (),
        None,
        "RunObject",
    ),
    OfficialOperation(
        "listRunSteps",
        "GET",
        "/threads/{thread_id}/runs/{run_id}/steps",
        ("thread_id", "run_id"),
        (*PAGING, "include[]"),
        None,
        "ListRunStepsResponse",
    ),
    OfficialOperation(
        "getRunStep",
        "GET",
        "/threads/{thread_id}/runs/{run_id}/steps/{step_id}",
        ("thread_id", "run_id", "step_id"),
        ("include[]",),
        None,
        "RunStepObject",
    ),
    OfficialOperation(
        "submitToolOuputsToRun",
        "POST",
        "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
        ("thread_id", "run_id"),
        (),
        "SubmitToolOutputsRunRequest",
        "RunObject",
    ),
    OfficialOperation("listModels", "GET", "/models", (), (), None, "ListModelsResponse"),
    OfficialOperation("retrieveModel", "GET", "/models/{model}", ("model",), (), None, "Model"),
)

_SCHEMAS = {
    "CreateRunRequest": schema(
        "assistant_id",
        """
        additional_instructions additional_messages additional_messages[].attachments
        additional_messages[].attachments[].file_id
        additional_messages[].attachments[].tools
        additional_messages[].attachments[].tools[].type additional_messages[].content
        additional_messages[].content[].image_file
        additional_messages[].content[].image_file.detail
        additional_messages[].content[].image_file.file_id
        additional_messages[].content[].image_url
        additional_messages[].content[].image_url.detail
        additional_messages[].content[].image_url.url
        additional_messages[].content[].text additional_messages[].content[].type
        additional_messages[].metadata additional_messages[].role assistant_id
        instructions max_completion_tokens max_prompt_tokens metadata model
        parallel_tool_calls reasoning_effort response_format response_format.json_schema
        response_format.json_schema.description response_format.json_schema.name
        response_format.json_schema.schema response_format.json_schema.strict
        response_format.type stream temperature tool_choice tool_choice.function
        tool_choice.function.name tool_choice.type tools tools[].file_search
        tools[].file_search.max_num_results tools[].file_search.ranking_options
        tools[].file_search.ranking_options.ranker
        tools[].file_search.ranking_options.score_threshold tools[].function
        tools[].function.description tools[].function.name tools[].function.parameters
        tools[].function.strict tools[].type top_p truncation_strategy
        truncation_strategy.last_messages truncation_strategy.type
        """,
    ),
    "CreateThreadAndRunRequest": schema(
        "assistant_id",
        """
        assistant_id instructions max_completion_tokens max_prompt_tokens metadata model
        parallel_tool_calls response_format response_format.json_schema
        response_format.json_schema.description response_format.json_schema.name
        response_format.json_schema.schema response_format.json_schema.strict
        response_format.type stream temperature thread tool_choice tool_choice.function
        tool_choice.function.name tool_choice.type tool_resources
        tool_resources.code_interpreter tool_resources.code_interpreter.file_ids
        tool_resources.file_search tool_resources.file_search.vector_store_ids tools
        tools[].file_search tools[].file_search.max_num_results
        tools[].file_search.ranking_options tools[].file_search.ranking_options.ranker
        tools[].file_search.ranking_options.score_threshold tools[].function
        tools[].function.description tools[].function.name tools[].function.parameters
        tools[].function.strict tools[].type top_p truncation_strategy
        truncation_strategy.last_messages truncation_strategy.type
        """,
        within={"thread": SCHEMAS_OF_THREADS["CreateThreadRequest"]},
    ),
    "Model": schema(
        "created id object owned_by",
        """
        created id object owned_by shutdown_date
        """,
    ),
    "ModifyRunRequest": schema(
        "",
        """
        metadata
        """,
    ),
    "RunObject": schema(
        """
        assistant_id cancelled_at completed_at created_at expires_at failed_at id
        incomplete_details instructions last_error max_completion_tokens
        max_prompt_tokens metadata model object parallel_tool_calls required_action
        response_format started_at status thread_id tool_choice tools
        truncation_strategy usage
        """,
        """
        assistant_id cancelled_at completed_at created_at expires_at failed_at id
        incomplete_details incomplete_details.reason instructions last_error
        last_error.code last_error.message max_completion_tokens max_prompt_tokens
        metadata model object parallel_tool_calls required_action
        required_action.submit_tool_outputs
        required_action.submit_tool_outputs.tool_calls
        required_action.submit_tool_outputs.tool_calls[].function
        required_action.submit_tool_outputs.tool_calls[].function.arguments
        required_action.submit_tool_outputs.tool_calls[].function.name
        required_action.submit_tool_outputs.tool_calls[].id
        required_action.submit_tool_outputs.tool_calls[].type required_action.type
        response_format response_format.json_schema
        response_format.json_schema.description response_format.json_schema.name
        response_format.json_schema.schema response_format.json_schema.strict
        response_format.type started_at status temperature thread_id tool_choice
        tool_choice.function tool_choice.function.name tool_choice.type tools
        tools[].file_search tools[].file_search.max_num_results
        tools[].file_search.ranking_options tools[].file_search.ranking_options.ranker
        tools[].file_search.ranking_options.score_threshold tools[].function
        tools[].function.description tools[].function.name tools[].function.parameters
        tools[].function.strict tools[].type top_p truncation_strategy
        truncation_strategy.last_messages truncation_strategy.type usage
        usage.completion_tokens usage.prompt_tokens usage.total_tokens
        """,
    ),
    "RunStepObject": schema(
        """
        assistant_id cancelled_at completed_at created_at expired_at failed_at id
        last_error metadata object run_id status step_details thread_id type usage
        """,
        """
        assistant_id cancelled_at completed_at created_at expired_at failed_at id
        last_error last_error.code last_error.message metadata object run_id status
        step_details step_details.message_creation
        step_details.message_creation.message_id step_details.tool_calls
        step_details.tool_calls[].code_interpreter
        step_details.tool_calls[].code_interpreter.input
        step_details.tool_calls[].code_interpreter.outputs
        step_details.tool_calls[].code_interpreter.outputs[].image
        step_details.tool_calls[].code_interpreter.outputs[].image.file_id
        step_details.tool_calls[].code_interpreter.outputs[].logs
        step_details.tool_calls[].code_interpreter.outputs[].type
        step_details.tool_calls[].file_search
        step_details.tool_calls[].file_search.ranking_options
        step_details.tool_calls[].file_search.ranking_options.ranker
        step_details.tool_calls[].file_search.ranking_options.score_threshold
        step_details.tool_calls[].file_search.results
        step_details.tool_calls[].file_search.results[].content
        step_details.tool_calls[].file_search.results[].content[].text
        step_details.tool_calls[].file_search.results[].content[].type
        step_details.tool_calls[].file_search.results[].file_id
        step_details.tool_calls[].file_search.results[].file_name
        step_details.tool_calls[].file_search.results[].score
        step_details.tool_calls[].function step_details.tool_calls[].function.arguments
        step_details.tool_calls[].function.name
        step_details.tool_calls[].function.output step_details.tool_calls[].id
        step_details.tool_calls[].type step_details.type thread_id type usage
        usage.completion_tokens usage.prompt_tokens usage.total_tokens
        """,
    ),
    "SubmitToolOutputsRunRequest": schema(
        "tool_outputs",
        """
        stream tool_outputs tool_outputs[].output tool_outputs[].tool_call_id
        """,
    ),
    "ListModelsResponse": schema(
        "data object",
        """
        data data[].created data[].id data[].object data[].owned_by data[].shutdown_date
        object
        """,
    ),
}

SCHEMAS = {
    **_SCHEMAS,
    "ListRunsResponse": page_of(_SCHEMAS["RunObject"]),
    "ListRunStepsResponse": page_of(_SCHEMAS["RunStepObject"]),
}
