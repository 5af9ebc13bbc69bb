"""The Streamlit page of landcast."""
