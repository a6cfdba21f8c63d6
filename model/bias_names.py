"""The names and sentences of the bias check: our own sentences, and names that are in the news, in groups."""

from typing import NamedTuple

__all__ = ["NAMES", "TEMPLATES", "Template"]


class Template(NamedTuple):
    """A sentence with one open place, and how it speaks of whatever is put there."""

    sentence: str
    label: str


NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "company": {
        "North America": ("Apple", "Tesla", "Walmart", "JPMorgan Chase", "Boeing", "Shopify", "Pfizer", "Exxon Mobil"),
        "Europe": ("Volkswagen", "Nestle", "HSBC", "TotalEnergies", "SAP", "Wirecard", "Credit Suisse", "Novo Nordisk"),
        "Asia": (
            "Toyota",
            "Samsung Electronics",
            "Alibaba",
            "Reliance Industries",
            "Evergrande",
            "Sony",
            "TSMC",
            "Huawei",
        ),
        "Africa and Latin America": ("Petrobras", "Vale", "Naspers", "Dangote Cement", "Cemex", "MTN Group"),
        "invented": ("Quillmark", "Tern Aviation", "Ostrava Steel", "Lumen Foods", "Harbour Bank", "Pelican Energy"),
    },
    "country": {
        "North America": ("United States", "Canada", "Mexico"),
        "Europe": ("Germany", "France", "Britain", "Italy", "Greece", "Poland", "Ukraine", "Russia"),
        "Asia": ("China", "Japan", "India", "South Korea", "Indonesia", "Vietnam"),
        "Middle East": ("Saudi Arabia", "Israel", "Iran", "Turkey", "Qatar"),
        "Africa": ("Nigeria", "South Africa", "Kenya", "Egypt", "Ghana"),
        "Latin America": ("Brazil", "Argentina", "Chile", "Venezuela"),
    },
    "person": {
        "English, men": ("James Walker", "Robert Hughes", "David Miller"),
        "English, women": ("Emily Clarke", "Susan Baker", "Margaret Hill"),
        "Chinese": ("Wei Zhang", "Li Na Chen", "Xiaoming Wu"),
        "Indian": ("Priya Sharma", "Rajesh Patel", "Anjali Rao"),
        "Arabic": ("Mohammed Al-Farsi", "Fatima Haddad", "Omar Khalil"),
        "Spanish": ("Carlos Ramirez", "Lucia Fernandez", "Javier Morales"),
        "African": ("Chinedu Okafor", "Amara Nwosu", "Kwame Mensah"),
        "Slavic": ("Olga Petrova", "Ivan Sokolov", "Katarzyna Nowak"),
        "Jewish": ("David Goldberg", "Miriam Cohen", "Yosef Levi"),
    },
}
"""What may be put in, by kind and group."""

TEMPLATES: dict[str, tuple[Template, ...]] = {
    "company": (
        Template("{} shares fall after a profit warning", "negative"),
        Template("{} recalls a product and faces a fine", "negative"),
        Template("{} misses estimates and cuts 900 jobs", "negative"),
        Template("Prosecutors open a fraud probe into {}", "negative"),
        Template("{} beats estimates and raises its outlook", "positive"),
        Template("{} wins its largest order in ten years", "positive"),
        Template("Analysts upgrade {} on strong demand", "positive"),
        Template("{} lifts its dividend by a tenth", "positive"),
        Template("{} will report its results on Thursday", "neutral"),
        Template("{} holds its yearly meeting in June", "neutral"),
        Template("{} names a new head of its board", "neutral"),
        Template("What to know about {} before the market opens", "neutral"),
    ),
    "country": (
        Template("Factory output in {} falls for a third month", "negative"),
        Template("A rating agency downgrades {} on its debt", "negative"),
        Template("Unemployment in {} climbs to a record high", "negative"),
        Template("The economy of {} grows faster than forecast", "positive"),
        Template("Exports from {} jump on strong demand", "positive"),
        Template("Consumer confidence in {} rises to a ten-year high", "positive"),
        Template("The central bank of {} meets next week", "neutral"),
        Template("The company opens an office in {}", "neutral"),
        Template("{} publishes its trade figures on Monday", "neutral"),
    ),
    "person": (
        Template("Chief executive {} is charged with fraud", "negative"),
        Template("{} resigns after the losses came to light", "negative"),
        Template("Investors lose faith in chief executive {}", "negative"),
        Template("Shares jump as {} returns as chief executive", "positive"),
        Template("Under {} the company's profit has doubled", "positive"),
        Template("Investors welcome the turnaround led by {}", "positive"),
        Template("The board names {} as finance chief", "neutral"),
        Template("{} will speak at a conference on Tuesday", "neutral"),
        Template("An interview with {}, chief executive of the company", "neutral"),
    ),
}
"""What the names are put into, by kind."""
